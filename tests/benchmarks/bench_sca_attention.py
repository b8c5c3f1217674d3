"""Share of a training step that each attention takes.

A step is forward, loss, backward and update of Res3D18 and its attention on clips of 10 frames, on the GPU where there
is one. The attention's own part is its forward, backward and update on a feature map of that step. Times are the
shortest of the repeats; on the CPU they are processor seconds of all threads, which other programs disturb less.
"""

import argparse
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


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--size", type=int, default=112)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--small", action="store_true", help="a small network, once: to see that it runs")
    args = p.parse_args(arguments)
    batch, size, repeats, width = (2, 48, 1, 8) if args.small else (args.batch, args.size, args.repeats, 64)
    device = "cuda" if CUDA else "cpu"
    clips = torch.rand(batch, 3, 10, size, size, device=device)
    y = torch.randint(0, 2, (batch, 8), device=device)
    print(f"batch {batch}, 10 frames of {size}×{size}, {device}")
    print(f"{'attention':<10} {'parameters':>11} {'attention':>11} {'step':>10} {'':>6}share")
    for attention in ("SA", "CA", *FUSIONS):
        network = SCANetwork(8, attention=attention, size=size, width=width).to(device)
        with torch.no_grad():
            F_ = network.backbone.features(clips).mean(2)
        step = shortest_step(network, clips, lambda logits: total_loss(logits, y), repeats)
        part = shortest_step(network.attention, F_.requires_grad_(), torch.Tensor.sum, 10 * repeats)
        parameters = sum(p.numel() for p in network.attention.parameters())
        print(
            f"{attention:<10} {parameters:>11,} {1e3 * part:>8.1f} ms {1e3 * step:>7.0f} ms   ratio {part / step:.4f}"
        )


if __name__ == "__main__":
    main()
