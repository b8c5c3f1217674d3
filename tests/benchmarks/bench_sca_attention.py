"""Share of a training step that each attention takes: bench_sca_attention.py [batch] [size] [repeats]

A step is forward, loss, backward and update of Res3D18 and its attention on clips of 10 frames, on the GPU where there
is one. The attention's own part is its forward, backward and update on a feature map of that step. Times are the
shortest of the repeats; on the CPU they are processor seconds of all threads, which other programs disturb less.
"""

import sys
import time

import torch
from torch import nn

from sca_au import SCANetwork, total_loss
from sca_au.attention import FUSIONS

CUDA = torch.cuda.is_available()


def clock() -> float:
    if not CUDA:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def shortest_step(module: nn.Module, x: torch.Tensor, loss, repeats: int) -> float:
    sgd = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    times = []
    for _ in range(repeats + 1):
        start = clock()
        sgd.zero_grad()
        loss(module(x)).backward()
        sgd.step()
        times.append(clock() - start)
    return min(times[1:])


def main(batch: int = 8, size: int = 112, repeats: int = 3) -> None:
    device = "cuda" if CUDA else "cpu"
    clips = torch.rand(batch, 3, 10, size, size, device=device)
    y = torch.randint(0, 2, (batch, 8), device=device)
    print(f"batch {batch}, 10 frames of {size}×{size}, {device}")
    print(f"{'attention':<10} {'parameters':>11} {'attention':>11} {'step':>10} {'share':>7}")
    for attention in ("SA", "CA", *FUSIONS):
        network = SCANetwork(8, attention=attention, size=size).to(device)
        with torch.no_grad():
            F_ = network.backbone.features(clips).mean(2)
        step = shortest_step(network, clips, lambda logits: total_loss(logits, y), repeats)
        part = shortest_step(network.attention, F_.requires_grad_(), torch.Tensor.sum, 10 * repeats)
        parameters = sum(p.numel() for p in network.attention.parameters())
        print(f"{attention:<10} {parameters:>11,} {1e3 * part:>8.1f} ms {1e3 * step:>7.0f} ms {part / step:>7.2%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
