"""A training step of DVASP's student, and the shares of the teacher's forward pass, of ASP and of the images in it."""

import argparse
import statistics
import time
from dataclasses import replace

import torch

from dvasp.config import SMOKE, Config
from dvasp.data import augmented
from dvasp.losses import asp_loss, student_loss
from dvasp.model import freeze
from dvasp.train import build_teacher, network


def parts(config: Config, N: int = 8, device: str = "cpu"):
    """The functions whose times are taken, by name."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (121, config.resize, config.resize, 3), dtype=torch.uint8, device=device)
    p = torch.randint(0, 2, (config.batch, N), device=device)
    student = network(config, N)().to(device, memory_format=torch.channels_last).train()
    teacher = freeze(build_teacher(config)().to(device, memory_format=torch.channels_last))
    sgd = torch.optim.SGD(student.parameters(), lr=0.0, momentum=0.9)

    def data():
        some = torch.randperm(len(images), device=device)[: config.batch]
        return augmented(images[some], torch.rand(config.batch, 3, device=device), config.size)

    crops = data()
    taught = teacher(crops)
    features = [[A.detach().clone().requires_grad_() for A in view[1:]] for view in student(crops).features]

    def asp():
        losses = [asp_loss(A_T[1:], A_S) for A_T, A_S in zip(taught.features, features, strict=True)]
        torch.stack(losses).mean().backward()

    def step():
        crops = data()
        loss = sum(student_loss(student(crops), p, teacher(crops), alpha=config.alpha).values())
        sgd.zero_grad()
        loss.backward()
        sgd.step()

    return {"step": step, "teacher's forward": lambda: teacher(crops), "ASP": asp, "images": data}


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--paper", action="store_true", help="at paper scale")
    p.add_argument("--batch", type=int)
    p.add_argument("--device", default="cpu")
    p.add_argument("--small", action="store_true", help="one step of small networks: to see that it runs")
    args = p.parse_args(arguments)
    config = Config() if args.paper else Config(**SMOKE)
    config = replace(config, batch=args.batch or config.batch)
    if args.small:
        args.steps, config = 1, replace(config, batch=2, resize=36, size=32, width=8)
    timed = parts(config, device=args.device)
    clock = time.process_time if args.device == "cpu" else time.perf_counter
    taken = {name: [] for name in timed}
    for _ in range(args.steps):
        for name, part in timed.items():
            begin = clock()
            part()
            if args.device != "cpu":
                torch.cuda.synchronize()
            taken[name].append(clock() - begin)
    whole = statistics.median(taken["step"])
    print(f"{config.size} pixels, width {config.width}, batch {config.batch}, {torch.get_num_threads()} threads")
    for name, times in taken.items():
        part = statistics.median(times)
        print(f"{name}: {part * 1e3:.1f} ms, ratio {part / whole:.3f} to the step, fastest {min(times) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
