"""A training step of each of the five networks at its paper's sizes and batch, in each precision, and compiled.

On a GPU: milliseconds, share of the card's limit in arithmetic at that precision (as its maker prints it, dense), and
peak memory; elsewhere, with --small, only whether everything runs. The yardstick is the same step in float32.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import dvasp.experiments
import dvasp.train
import ma2mi.experiments
import ma2mi.train
import mtmnet.experiments
import mtmnet.stages
import mtmnet.train
import sca_au.experiments
import sca_au.train
import skd_tstsan.experiments
import skd_tstsan.train
from dvasp.losses import student_loss
from dvasp.model import freeze
from ma2mi.losses import draw_tau
from sca_au.losses import total_loss
from shared.runs.compiling import compiled
from shared.runs.engine import set_precision
from shared.runs.fold import autocast
from shared.runs.parallel import Alone

LIMITS = {  # Tflop/s that the makers print, dense: float32, TF32, bf16
    "NVIDIA H100 80GB HBM3": (66.9, 494.7, 494.7, 989.4),
    "NVIDIA H200": (66.9, 494.7, 494.7, 989.4),
    "NVIDIA A100-SXM4-80GB": (19.5, 156.0, 156.0, 312.0),
}
PACKAGES = {p.__name__: p for p in (dvasp, skd_tstsan, mtmnet, sca_au, ma2mi)}
SMALL = {"size": 64, "resize": 72, "frames": 2, "width": 8, "batch": 2, "pretrain_batch": 2}
SMALL |= {"dit_dim": 48, "dit_depth": 1, "dit_heads": 3, "patch": 4}


def ma2mi_step(config, device) -> Callable:
    """A step of pre-training (Eq. 10): MIACNet, DiT and the frozen autoencoder."""
    net = ma2mi.train.Reconstruction(config, ma2mi.train.autoencoder(config, None)).to(device).train()
    tau = draw_tau(config.pretrain_batch)
    I_t, I_td = torch.rand(2, config.pretrain_batch, 3, config.size, config.size, device=device) * 2 - 1
    return step(net, torch.optim.AdamW(net.parameters(), fused=True), config, lambda: sum(net(I_t, I_td, tau).values()))


def skd_tstsan_step(config, device) -> Callable:
    net = skd_tstsan.train.network(config, 5)().to(device).train()
    x = torch.rand(config.batch, 34 + 2 * config.domains, config.size, config.size, device=device)
    y, alpha = torch.randint(5, (config.batch,), device=device), torch.ones(5, device=device)
    terms = lambda: skd_tstsan.train.criterion(net, x, y, alpha, config)  # noqa: E731
    return step(net, skd_tstsan.train.adam(net, config), config, lambda: sum(terms().values()))


def mtmnet_step(config, device) -> Callable:
    """A step of the first stage (Eq. 5), both players."""
    net = mtmnet.train.network(config, 5, 25)().to(device).train()
    if config.compile:
        compiled(net)
    game = mtmnet.stages.Disentangling(net, config, Alone(device))
    x_N, x_E = torch.rand(2, config.batch, 3, config.size, config.size, device=device)
    y, s = (torch.randint(n, (config.batch,), device=device) for n in (5, 25))
    return lambda: game.step(x_N, x_E, y, s)


def sca_au_step(config, device) -> Callable:
    net = sca_au.train.network(config, 8)().to(device).train()
    clips = torch.rand(config.batch, 3, config.frames, config.size, config.size, device=device)
    p = torch.randint(2, (config.batch, 8), device=device).float()
    sgd = torch.optim.SGD(net.parameters(), config.lr, momentum=config.momentum)
    return step(net, sgd, config, lambda: total_loss(net(clips), p))


def dvasp_step(config, device) -> Callable:
    """A step of the student under its teacher (Eq. 16)."""
    student = dvasp.train.network(config, 8)().to(device, memory_format=torch.channels_last).train()
    teacher = freeze(dvasp.train.build_teacher(config)().to(device, memory_format=torch.channels_last))
    x = torch.rand(config.batch, 3, config.size, config.size, device=device)
    p = torch.randint(2, (config.batch, 8), device=device)
    sgd = torch.optim.SGD(student.parameters(), config.lr, momentum=config.momentum)

    def loss() -> Tensor:
        return sum(student_loss(student(x), p, teacher(x), alpha=config.alpha).values())

    return step(student, sgd, config, loss)


def step(net, optimiser, config, loss: Callable[[], Tensor]) -> Callable:
    if config.compile:
        compiled(net)
    device = next(net.parameters()).device

    def run() -> None:
        with autocast(config, device):
            value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()

    return run


def measured(run: Callable, device: torch.device, steps: int, before: int) -> tuple[float, float]:
    """Seconds of a step, the mean of `steps` after those `before`, and the peak of the card's memory in GiB."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for i in range(steps + before):
        if i == before:
            wait()
            clock = time.perf_counter()
        run()
    wait()
    seconds = (time.perf_counter() - clock) / steps
    return seconds, torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="small networks: to see that it runs")
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--compile", action="store_true", help="a compiled step in bf16, too")
    p.add_argument("--packages", nargs="+", default=list(PACKAGES), choices=PACKAGES)
    args = p.parse_args(arguments)
    before = 10  # steps that do not count
    if args.small:
        args.steps, before = 1, 0
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    card = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    limits = dict(zip(("float32", "default", "tf32", "bf16"), LIMITS.get(card, [float("nan")] * 4), strict=True))
    print(f"{card}, torch {torch.__version__}, {'small' if args.small else 'the papers'} sizes, {args.steps} steps")
    for package in map(PACKAGES.get, args.packages):
        base = package.experiments.Config()
        if package is ma2mi:
            base = vary(base, autoencoder="pool" if args.small else "random")  # of the published one's size
        if args.small:
            base = vary(base, **SMALL)
        for fast, precision in [*((False, name) for name in limits), *[(True, "bf16")] * args.compile]:
            config = vary(base, precision=precision, compile=fast)
            set_precision(config)
            torch.manual_seed(0)
            torch.cuda.empty_cache()
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            run = globals()[f"{package.__name__}_step"](config, device)
            if precision == "float32":
                with FlopCounterMode(display=False) as counter:
                    run()
                yardstick, _ = measured(run, device, args.steps, before)
            seconds, memory = measured(run, device, args.steps, before)
            share = counter.get_total_flops() / seconds / limits[precision] / 1e12
            print(
                f"{package.__name__:11}{precision + ' compiled' * fast:14}{1e3 * seconds:9.2f} ms, "
                f"ratio {yardstick / seconds:.2f} to float32, {share:.1%} of the limit, {memory:.2f} GiB",
                flush=True,
            )
            del run


def vary(config, **changes):
    """The config with those of `changes` that it has."""
    return type(config)(**{k: changes.get(k, v) for k, v in vars(config).items()})


if __name__ == "__main__":
    main()
