"""A pre-training step of MA2MI with the latents of its frames known, against one that encodes them again.

Counted at the paper's sizes, on the meta device: arithmetic a sample of forward and backward pass. Timed on the CPU at
images of --size, a smaller share of which is the autoencoder's. Losses of the first step must be the same, latents
being in half precision in both.
"""

import argparse
import statistics
import time
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from ma2mi.config import Config
from ma2mi.losses import draw_tau
from ma2mi.train import Reconstruction, autoencoder


def step(model: torch.nn.Module, I_t: torch.Tensor, I_td: torch.Tensor, tau: torch.Tensor, *Z: torch.Tensor) -> float:
    """A forward and a backward pass."""
    model.zero_grad()
    loss = sum(model(I_t, I_td, tau, *Z).values())
    loss.backward()
    return loss.detach()


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--size", type=int, default=128)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--small", action="store_true", help="one step of small images and a small DiT: to see that it runs")
    args = p.parse_args(arguments)
    config, B = replace(Config(), autoencoder="random"), 2
    if args.small:
        args.size, args.steps = 64, 1
        config = replace(config, size=64, width=8, dit_dim=48, dit_depth=1, dit_heads=3)
    side = config.size
    with torch.device("meta"):
        model, images = Reconstruction(config, autoencoder(config, None)), torch.zeros(2, B, 3, side, side)
        counts = []
        for Z in ((), torch.zeros(2, B, 4, side // 8, side // 8).half()):
            with FlopCounterMode(display=False) as counter:
                step(model, *images, draw_tau(B).to("meta"), *Z)
            counts.append(counter.get_total_flops() / B / 1e9)
    print(f"GFLOP a sample at {side}²: {counts[0]:.1f}, with latents known {counts[1]:.1f}; "
          f"ratio {counts[0] / counts[1]:.2f}")  # fmt: skip
    config = replace(config, size=args.size)
    torch.manual_seed(0)
    model, tau = Reconstruction(config, autoencoder(config, None)), draw_tau(B)
    images = torch.rand(2, B, 3, args.size, args.size) * 2 - 1
    latents = [model.latents(I).half() for I in images]
    losses = [step(model, *images, tau, *Z) for Z in ((), latents)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    times: tuple[list[float], list[float]] = [], []
    for _ in range(args.steps):
        for Z, own in zip(((), latents), times, strict=True):
            clock = time.process_time()
            step(model, *images, tau, *Z)
            own.append(time.process_time() - clock)
    plain, here = map(statistics.median, times)
    print(f"processor time a step of {B} at {args.size}²: {plain:.2f} s, with latents known {here:.2f} s; "
          f"ratio {plain / here:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
