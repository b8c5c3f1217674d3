"""A training step of each baseline of Table 3 at paper scale, beside one of SKD-TSTSAN.

Inputs are noise of the right size, augmented as in training. A fold's time is that of its steps: five classes of CASME
II, 235 clips to train on, of which CapsuleNet sees 625 frames an epoch. Each method runs in a process of its own, so
that the memory is its own.
"""

import argparse
import math
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
import torch.nn.functional as F

from skd_tstsan import SKD_TSTSAN, skd_loss
from skd_tstsan.baselines import CapsuleNet, MMNet, STSTNet, capsule_loss
from skd_tstsan.baselines.augment import cropped, jittered, turned

CLIPS, FRAMES = 235, 625
SCHEDULES = {  # batch, samples an epoch, epochs
    "SKD-TSTSAN": (16, CLIPS, math.ceil(20_000 / math.ceil(CLIPS / 16))),
    "STSTNet": (256, CLIPS, 800),
    "CapsuleNet": (32, FRAMES, 30),
    "MMNet": (32, CLIPS, 74),
}


def training_of(method: str, batch: int, small: bool):
    """A network, and a function that gives the loss of a batch."""
    size, width, generator = (144, 8, torch.Generator()) if small else (224, 64, torch.Generator())
    y = torch.randint(0, 5, (batch,))
    if method == "SKD-TSTSAN":
        net, x = SKD_TSTSAN(5, width=width), torch.rand(batch, 38, 48, 48)
        return net, lambda: sum(skd_loss(*net(x), y).values())
    if method == "STSTNet":
        net, x = STSTNet(5), 255 * torch.rand(batch, 3, 28, 28)
        return net, lambda: F.cross_entropy(net(x), y)
    if method == "CapsuleNet":
        net, frames = CapsuleNet(5, size=size, width=width), torch.rand(batch, 3, size + 10, size + 16)

        def loss():
            x = jittered(turned(frames, 8, generator, flip=True), 0.2, generator)
            return capsule_loss(net(cropped(x, size, generator)), y)

        return net, loss
    net, pairs = MMNet(5, size=size, width=2 * width), torch.randn(batch, 6, size, size)

    def loss():
        x = F.pad(turned(pairs, 3, generator, flip=True), (15,) * 4)
        return F.cross_entropy(net(*cropped(x, size, generator).split(3, 1)), y)

    return net, loss


def measured(method: str, steps: int, small: bool) -> tuple[float, float, float]:
    """Median wall-clock and processor seconds of a step, and the process's peak memory in GiB."""
    torch.manual_seed(0)
    batch = 2 if small else SCHEDULES[method][0]
    net, loss = training_of(method, batch, small)
    adam = torch.optim.Adam(net.train().parameters(), 1e-4)
    wall, cpu = [], []
    for _ in range(steps):
        start = time.perf_counter(), time.process_time()
        value = loss()
        adam.zero_grad()
        value.backward()
        adam.step()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return statistics.median(wall), statistics.median(cpu), memory


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--methods", nargs="+", choices=SCHEDULES, default=list(SCHEDULES))
    p.add_argument(
        "--small", action="store_true", help="one step of a small batch in this process: to see that it runs"
    )
    args = p.parse_args(arguments)
    print(f"{torch.get_num_threads()} threads")
    first = None
    for method in args.methods:
        if args.small:
            wall, cpu, memory = measured(method, 1, True)
        else:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                wall, cpu, memory = pool.submit(measured, method, args.steps, False).result()
        batch, samples, epochs = SCHEDULES[method]
        steps = epochs * math.ceil(samples / batch)
        first = first or cpu
        print(
            f"{method}: {wall:.3f} s a step, {cpu:.3f} s of a processor, ratio {cpu / first:.2f} to {args.methods[0]}; "
            f"{steps} steps a fold, {steps * wall / 60:.1f} min ({steps * cpu / 60:.1f} of a processor); "
            f"peak memory {memory:.2f} GiB"
        )


if __name__ == "__main__":
    main()
