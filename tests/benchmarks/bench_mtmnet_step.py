"""Seconds of a training step of MTMNet's stages, at paper scale unless options say otherwise, and of a whole fold.

On a GPU where there is one, else on one thread of the CPU.
"""

import argparse
import time
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from mtmnet.config import Config
from mtmnet.data import ImagePairs
from mtmnet.model import EIDNet
from mtmnet.stages import Disentangling, Guidance
from mtmnet.train import network
from shared.runs.parallel import Alone

CLIPS, SUBJECTS, CLASSES = 239, 25, 5  # a fold of CASME II's 249 clips of 26 people


def operations(step, rows: torch.Tensor) -> int:
    """Floating-point operations of a step's convolutions and products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step(rows)
    return counter.get_total_flops()


def seconds(step, numbers: torch.Tensor, batch: int, steps: int, device: torch.device) -> float:
    """Mean seconds of `steps` steps after two that do not count: processor time on the CPU, else wall time."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    for i in range(steps + 2):
        if i == 2:
            wait(device)
            start = clock()
        step(numbers[torch.randperm(len(numbers))[:batch]])
    wait(device)
    return (clock() - start) / steps


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--size", type=int, default=224)
    p.add_argument("--width", type=int, default=64)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--small", action="store_true", help="one step of small networks: to see that it runs")
    args = p.parse_args(arguments)
    if args.small:
        args.size, args.width, args.batch, args.steps = 32, 8, 2, 1
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = replace(Config(start="random"), size=args.size, width=args.width, batch=args.batch)
    images = torch.randint(0, 256, (2, 4 * args.batch, args.size, args.size, 3), dtype=torch.uint8, device=device)
    numbers = torch.arange(4 * args.batch)
    pairs = ImagePairs(*images, (numbers % CLASSES).to(device), (numbers % SUBJECTS).to(device))
    MicroNet = network(config, CLASSES, SUBJECTS)().to(device).train()
    macro = EIDNet(CLASSES, 118, width=args.width).to(device), pairs
    game = Disentangling(MicroNet, config, Alone(device))
    mtm, cls = (Guidance(MicroNet, pairs, config, guide) for guide in (macro, None))
    mtm.guided.train()
    stages = {
        "first stage (L_EID)": lambda rows: game.step(*pairs.pixels(rows)),
        "second stage (L_MTM)": mtm.step,
        "second stage (L_cls alone)": cls.step,
    }
    name = torch.cuda.get_device_name() if device.type == "cuda" else "one CPU thread"
    print(f"images of {args.size}, width {args.width}, batches of {args.batch}, {name}, torch {torch.__version__}")
    first = None
    for stage, step in stages.items():
        took = seconds(step, numbers, args.batch, args.steps, device)
        first = first or took
        count = operations(step, numbers[: args.batch]) / 1e9
        steps = -(-CLIPS * config.frames // args.batch) * config.epochs
        print(
            f"{stage}: {took:.3f} s and {count:.1f} Gflop a step; {steps} steps in a fold's {config.epochs} epochs: "
            f"{took * steps:.0f} s, {count * steps / 1e3:.0f} Tflop; ratio {took / first:.2f} to the first"
        )


if __name__ == "__main__":
    main()
