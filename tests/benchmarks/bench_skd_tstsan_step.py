"""A training step of SKD-TSTSAN (batch 16) against the straightforward form.

That is: one stream after the other, in the usual memory layout, onset and apex encoded apart, the flow of no motion
encoded for every sample, Adam as it comes. Both forms start from the same weights and must give the same loss.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

from skd_tstsan import SKD_TSTSAN, skd_loss


def straightforward(model: SKD_TSTSAN, x: torch.Tensor):
    apex, onset, apex_patches, onset_patches, flow = x.split([1, 1, 16, 16, 4], 1)
    flow = flow.unflatten(1, (2, 2)).flatten(0, 1)
    inputs = {"L": (onset_patches, apex_patches), "S": (onset, apex), "T": (torch.zeros_like(flow), flow)}
    per_stream = []
    for s, (a, b) in inputs.items():
        stream = model.streams[s]
        M_a, M_b = stream.magnify.encoder(a), stream.magnify.encoder(b)
        x1 = F.max_pool2d(stream.conv1(stream.magnify.manipulator(M_a, M_b)), 5, 2, 2)
        x3 = F.avg_pool2d(stream.conv3(stream.conv2(x1)), 3, 2, 1)
        maps = stream.AC1(x1), stream.AC2(x3), stream.conv5(stream.conv4(x3))
        per_stream.append([m.mean((2, 3)).unflatten(0, (-1, stream.segments)).mean(1) for m in maps])
    features = [torch.cat(parts, 1) for parts in zip(*per_stream, strict=True)]
    return [fc(f) for fc, f in zip([*model.AC_fc, model.fc], features, strict=True)], features


def build(layout: torch.memory_format, **adam) -> tuple[SKD_TSTSAN, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = SKD_TSTSAN(dropout=0.0).train().to(memory_format=layout)
    return model, torch.optim.Adam(model.parameters(), 1e-3, (0.9, 0.99), weight_decay=5e-4, **adam)


def step(forward, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss = sum(skd_loss(*forward(x), y).values())
    loss.backward()
    optimizer.step()
    return loss.item()


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--small", action="store_true", help="one step of a small batch: to see that it runs")
    args = p.parse_args(arguments)
    batch, steps = (2, 1) if args.small else (16, args.steps)
    x, y = torch.rand(batch, 38, 48, 48), torch.randint(0, 5, (batch,))
    plain, plain_adam = build(torch.contiguous_format)
    model, adam = build(torch.channels_last, fused=True)
    arms = {"straightforward": (lambda x: straightforward(plain, x), plain_adam), "SKD_TSTSAN": (model, adam)}
    first = [step(*arm, x, y) for arm in arms.values()]
    assert abs(first[0] - first[1]) <= 1e-5, first
    wall, cpu = ({name: [] for name in arms} for _ in range(2))
    for _ in range(steps):
        for name, arm in arms.items():
            start = time.perf_counter(), time.process_time()
            step(*arm, x, y)
            wall[name].append(time.perf_counter() - start[0])
            cpu[name].append(time.process_time() - start[1])
    print(f"{torch.get_num_threads()} threads; the first step's losses: {first[0]:.7f}, {first[1]:.7f}")
    for kind, times in (("wall-clock", wall), ("processor", cpu)):
        a, b = (statistics.median(times[name]) for name in arms)
        print(f"{kind} time a step: straightforward {a * 1e3:.0f} ms, here {b * 1e3:.0f} ms; ratio {b / a:.2f}")


if __name__ == "__main__":
    main()
