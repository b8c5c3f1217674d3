"""Clips a second of the four hand-crafted descriptors, and the time of each as a ratio to the first's.

Clips are 50×128×128 and random, the descriptors at the paper's settings, one thread a process. Then LPQ-TOP against the
straightforward form, which correlates the whole clip with each window, tap by tap; both must give the same feature.
Last the SVM of one AU at the largest C, on as many features as HOG3D has, against scikit-learn's on all of them; both
must decide alike.
"""

import argparse
import statistics
import time
from multiprocessing import Pool

import numpy as np
from sklearn.svm import LinearSVC

from sca_au import descriptors
from sca_au.descriptors.blocks import histograms, interior
from sca_au.descriptors.lpq import FLAT
from sca_au.svm import svm_scores


def extract(job: tuple[str, tuple[int, ...], int]) -> int:
    name, shape, seed = job
    clip = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return len(getattr(descriptors, name)(clip))


def correlate(volume: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    volume = volume.swapaxes(0, axis)
    n = len(volume) - len(kernel) + 1
    return sum(w * volume[i : i + n] for i, w in enumerate(kernel)).swapaxes(0, axis)


def straightforward(volume: np.ndarray, window: int = 5, blocks: int = 5) -> np.ndarray:
    """LPQ-TOP."""
    m, planes = window // 2, []
    angles = 2 * np.pi * (np.arange(window) - m) / window
    flat, c, s = np.ones(window), np.cos(angles), np.sin(angles)
    for (a, b), margins in (((2, 1), (m, 0, 0)), ((2, 0), (0, m, 0)), ((1, 0), (0, 0, m))):
        x = interior(volume.astype(np.float64), margins)
        F, C, S = (correlate(x, kernel, a) for kernel in (flat, c, s))
        CC, SS, SC, CS = correlate(C, c, b), correlate(S, s, b), correlate(S, c, b), correlate(C, s, b)
        real = correlate(C, flat, b), correlate(F, c, b), CC - SS, CC + SS
        imaginary = correlate(S, flat, b), correlate(F, s, b), SC + CS, SC - CS
        codes = sum((g >= -FLAT).astype(np.uint8) << p for p, g in enumerate(real + imaginary))
        planes.append(histograms(codes, 256, blocks))
    return np.concatenate(planes, 1).ravel()


def seconds_of(describe, clip: np.ndarray) -> float:
    """Processor time."""
    clock = time.process_time()
    describe(clip)
    return time.process_time() - clock


def svms(clips: int, D: int) -> None:
    """Features in blocks of length 1, which tell an AU weakly; two thirds of the clips are learned from."""
    rng = np.random.default_rng(0)
    y = rng.random((clips, 1)) < 0.2
    x = (rng.random(D) + rng.normal(size=(clips, D)) * 0.3 + y * rng.normal(size=D) * 0.1).reshape(clips, 25, -1)
    x = (x / np.linalg.norm(x, axis=2, keepdims=True)).reshape(clips, -1)
    n = clips * 2 // 3
    learned = x[:n], y[:n].astype(int)

    def plain() -> np.ndarray:
        return LinearSVC(C=1000.0, dual=False, tol=1e-6, max_iter=10_000).fit(learned[0], y[:n, 0]).decision_function(x)

    found, seconds = [], []
    for scored in (plain, lambda: svm_scores(learned, learned, x, penalties=(1000.0,))[0][:, 0]):
        clock = time.process_time()
        found.append(scored())
        seconds.append(time.process_time() - clock)
    assert np.array_equal(*[scores > 0 for scores in found])
    print(f"an SVM of {n} clips with {D} features at C = 1000, processor time: scikit-learn {seconds[0]:.2f} s, "
          f"here {seconds[1]:.2f} s; ratio {seconds[1] / seconds[0]:.3f}")  # fmt: skip


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
    clip = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.array_equal(descriptors.lpq_top(clip), straightforward(clip))
    pairs = [[seconds_of(f, clip) for f in (straightforward, descriptors.lpq_top)] for _ in range(5)]
    plain, here = map(statistics.median, zip(*pairs, strict=True))
    print(f"lpq_top, processor time: straightforward {1e3 * plain:.0f} ms, here {1e3 * here:.0f} ms; "
          f"ratio {here / plain:.2f}")  # fmt: skip
    svms(30 if args.small else args.clips, 100 if args.small else 24_000)


if __name__ == "__main__":
    main()
