"""Preparing the key frames of generated CASME II: frames a second, and the share of each step."""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from shared.corpora import casme2
from shared.pixels.frames import prepare
from shared.synthetic.write import write

SIZE = 112


def seconds(work, paths: list[str]) -> float:
    start = time.process_time()
    for path in paths:
        work(path)
    return time.process_time() - start


def opened(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def decoded(path: str) -> Image.Image:
    return Image.open(path).convert("RGB")


def resized(path: str) -> np.ndarray:
    return np.asarray(decoded(path).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--small", action="store_true", help="small frames: to see that it runs")
    size = 32 if p.parse_args(arguments).small else 256
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/faces", ["CASME2"], size=size, workers=1 if size == 32 else None)
        samples = casme2.read(f"{folder}/faces").samples
        numbers = list(zip(samples["onset"], samples["apex"], strict=True))
        for what in ("decoded", "from the cache"):
            clock, work = time.perf_counter(), time.process_time()
            prepare(samples, numbers, size=SIZE, cache=Path(folder) / "cache")
            clock, work = time.perf_counter() - clock, time.process_time() - work
            print(
                f"{2 * len(samples)} frames {what}: {clock:.3f} s, {work:.3f} s of processor, "
                f"{2 * len(samples) / clock:.0f} frames/s on {os.cpu_count()} cores"
            )
        paths = [row.frames.path(n) for row, pair in zip(samples.itertuples(), numbers, strict=True) for n in pair]
        read, decode, whole = (seconds(step, paths) for step in (opened, decoded, resized))
        with Image.open(paths[0]) as image:
            print(
                f"a frame of {image.width}×{image.height} to {SIZE}×{SIZE}: {1e3 * whole / len(paths):.2f} ms, of "
                f"which, as ratios: decoding ratio {(decode - read) / whole:.2f}, resizing ratio "
                f"{(whole - decode) / whole:.2f}, the file ratio {read / whole:.2f}"
            )


if __name__ == "__main__":
    main()
