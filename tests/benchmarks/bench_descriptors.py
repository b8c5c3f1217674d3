"""Clips a second of the four hand-crafted descriptors: bench_descriptors.py [clips] [processes]

Clips are 50×128×128 and random, the descriptors at the paper's settings, one thread a process.
"""

import sys
import time
from multiprocessing import Pool

import numpy as np

from sca_au import descriptors


def extract(job: tuple[str, int]) -> int:
    name, seed = job
    clip = np.random.default_rng(seed).integers(0, 256, (50, 128, 128), np.uint8)
    return len(getattr(descriptors, name)(clip))


def main(clips: int = 250, processes: int = 2) -> None:
    print(f"{clips} clips of 50×128×128, {processes} processes (drawing the random clip included)")
    print(f"{'descriptor':<10} {'length':>7} {'seconds':>9} {'clips/s':>9}")
    with Pool(processes) as pool:
        for name in descriptors.__all__:
            pool.map(extract, [(name, 0)] * processes)
            start = time.perf_counter()
            lengths = pool.map(extract, [(name, seed) for seed in range(clips)], chunksize=5)
            seconds = time.perf_counter() - start
            print(f"{name:<10} {lengths[0]:>7} {seconds:>9.1f} {clips / seconds:>9.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
