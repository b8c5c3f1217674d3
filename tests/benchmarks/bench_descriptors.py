"""Clips a second of the four hand-crafted descriptors, and the time of each as a ratio to the first's.

Clips are 50×128×128 and random, the descriptors at the paper's settings, one thread a process.
"""

import argparse
import time
from multiprocessing import Pool

import numpy as np

from sca_au import descriptors


def extract(job: tuple[str, tuple[int, ...], int]) -> int:
    name, shape, seed = job
    clip = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return len(getattr(descriptors, name)(clip))


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--clips", type=int, default=250)
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--small", action="store_true", help="two small clips: to see that it runs")
    args = p.parse_args(arguments)
    clips, shape = (2, (16, 64, 64)) if args.small else (args.clips, (50, 128, 128))
    processes = 1 if args.small else args.processes
    size = "×".join(map(str, shape))
    print(f"{clips} clips of {size}, {processes} processes (drawing the random clip included)")
    first = None
    with Pool(processes) as pool:
        for name in descriptors.__all__:
            pool.map(extract, [(name, shape, 0)] * processes)
            start = time.perf_counter()
            lengths = pool.map(extract, [(name, shape, seed) for seed in range(clips)], chunksize=5)
            seconds = time.perf_counter() - start
            first = first or seconds
            print(f"{name:<10} length {lengths[0]:>6}, {seconds:>6.1f} s, {clips / seconds:>7.1f} clips/s, "
                  f"ratio {seconds / first:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
