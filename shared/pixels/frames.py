"""Samples -> arrays: frames decoded once, and what is derived from them, in a cache that processes map into memory."""

import hashlib
import io
import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ..corpora.samples import Frames, Problem
from ..errors import UserError, log
from ..files import REMEDY, digest, intact, locked, read_json, sweep, write_binary, write_json
from ..keys import VERIFY, code_key, fingerprint, pixels_key, size_and_time
from ..processes import loaders
from .images import UNREADABLE, Box, Size, check, problem_with, read

CHECKED = 24 * 3600.0  # seconds for which a file whose checksum was compared is known by its size and time of change
LONG = 2.0  # seconds of work that are spread over processes
Made = TypeVar("Made")


@dataclass(frozen=True)
class Store:
    """Prepared frames: `array` (frames, H, W, C) uint8, the frames of `ids[i]` at `start[i]:start[i + 1]`."""

    ids: tuple[str, ...]
    array: np.ndarray
    start: np.ndarray
    problems: list[Problem] = field(default_factory=list)
    digest: str = ""  # of the pixels
    folder: Path = Path()

    def clip(self, i: int) -> np.ndarray:
        """The frames of sample `ids[i]`: (T, H, W, C) uint8, a view."""
        return self.array[self.start[i] : self.start[i + 1]]

    def stacked(self) -> np.ndarray:
        """All samples as (N, K, H, W, C) when each has the same number K of frames, a view."""
        if not self.ids:
            return self.array[:0, None]
        return self.array.reshape(len(self.ids), -1, *self.array.shape[1:])


def floats(frames: torch.Tensor) -> torch.Tensor:
    """Frames (…, H, W, C) uint8 as networks take them: (…, C, H, W) in [0, 1], contiguous.

    In the memory layout of `frames`, torch's 1×1 convolutions of stride 2 write past their memory below 8 channels.
    """
    return frames.movedim(-1, -3).contiguous().float() / 255


def prepare(
    samples: pd.DataFrame,
    numbers: Sequence[Sequence[int]],
    *,
    size: Size,
    cache: Path,
    gray: bool = False,
    smooth: bool = True,
) -> Store:
    """The frames `numbers[i]` of each sample i, as `images.read` reads them, from the cache or decoded into it.

    The cache's key is what the result depends on: the files (path, size and time of change or content), the boxes, the
    settings, the code. A sample with a frame that cannot be read is left out of `ids` and named in `problems`.
    """
    height, width = (size, size) if isinstance(size, int) else size
    ids, boxes = list(samples["sample"]), [frames.box for frames in samples["frames"]]
    paths = [[f.path(n) for n in wanted] for f, wanted in zip(samples["frames"], numbers, strict=True)]
    key = hashlib.sha256(f"{height} {width} {gray} {smooth} {code_key(__name__)}".encode())
    for sample, files, box in zip(ids, paths, boxes, strict=True):
        for file in files:
            try:
                key.update(f"{sample} {file} {fingerprint(file)} {box}\n".encode(errors="surrogateescape"))
            except OSError as error:
                raise UserError(f"{file} cannot be read any more: {error.strerror}; {REMEDY}") from error

    path = cache / key.hexdigest()[:16] / "frames.u8"
    with locked(path.parent.with_suffix(".lock")):
        index = _index_of(path)
        if index is None:
            one = partial(_frames, size=(height, width), gray=gray, smooth=smooth)
            index = _decode(path, one, (height, width, 1 if gray else 3), ids, paths, boxes)
    shape, crc = tuple(index["shape"]), index["crc of the file"]
    array = np.memmap(path, np.uint8, "r", shape=shape) if index["ids"] else np.zeros(shape, np.uint8)
    problems = [Problem.of(problem) for problem in index["problems"]]
    return Store(tuple(index["ids"]), array, np.asarray(index["start"]), problems, f"{crc:08x}", path.parent)


def derive(store: Store, name: str, settings: Mapping[str, Any], one: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`one(clip)` of each sample's clip (T, H, W, C), stacked: (N, ...), from the cache or computed into it.

    The cache's key is the store, `name`, `settings` (anything JSON can hold) and the code of `one`, with all that its
    module imports.
    """
    function = one.func if isinstance(one, partial) else one
    path = store.folder / f"{name}-{digest([store.digest, name, dict(settings), code_key(function.__module__)])}.npy"
    with locked(path.with_suffix(".lock")):
        if _index_of(path) is None:
            sweep(path.parent, f"{path.stem}.*")
            bar = tqdm(_each(store, one), name, len(store.ids), unit="clip", disable=None, leave=False)
            np.save(content := io.BytesIO(), np.stack(list(bar)) if store.ids else np.empty(0))
            write_json(path.with_suffix(".json"), {"crc of the file": write_binary(path, [content.getbuffer()])})
        return np.load(path, mmap_mode="r")


@dataclass(frozen=True)
class _Clips(torch.utils.data.Dataset[np.ndarray]):
    """`one(clip)` of each of a store's clips."""

    store: Store
    one: Callable[[np.ndarray], np.ndarray]

    def __getitem__(self, i: int) -> np.ndarray:
        return self.one(self.store.clip(i))


def _each(store: Store, one: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """`one(clip)` of each clip in turn; in as many processes as there are cores, where the first clip says it pays."""
    clips, clock = _Clips(store, one), time.monotonic()
    yield from (clips[i] for i in range(min(len(store.ids), 1)))
    rest = range(1, len(store.ids))
    cores = len(os.sched_getaffinity(0)) if (time.monotonic() - clock) * len(rest) > LONG else 0
    yield from torch.utils.data.DataLoader(
        clips, batch_size=None, sampler=rest, collate_fn=lambda made: made, **loaders(cores)
    )


def written(
    path: Path, shape: tuple[int, ...], kind: type[np.generic], parts: Callable[[], Iterable[bytes | memoryview]]
) -> np.ndarray | None:
    """The array in `path`, mapped into memory; made of `parts`, one after the other, where it is not there yet.

    None where the disk has no room for it. The name of `path` holds a digest of what the array depends on.
    """
    with locked(path.with_suffix(".lock")):
        if _index_of(path) is None:
            sweep(path.parent, f"{path.stem}.*")
            needed, free = math.prod(shape) * np.dtype(kind).itemsize, shutil.disk_usage(path.parent).free
            room = needed < 0.9 * free
            log(f"{path} takes {needed / 2**30:.2f} of {free / 2**30:.2f} GiB free" + ": it is not kept" * (not room))
            if not room:
                return None
            write_json(path.with_suffix(".json"), {"crc of the file": write_binary(path, parts())})
        return np.memmap(path, kind, "r", shape=shape)


def unreadable(samples: pd.DataFrame, cache: Path) -> list[Problem]:
    """A problem for each sample with a frame that `images.stream` could not read, for samples that fit in no memory.

    Every image is decoded once, as small as its format allows; what was found stays in the cache, under a key of the
    files, the boxes and the code.
    """
    ids, clips = list(samples["sample"]), list(samples["frames"])
    key = digest([pixels_key(samples), [clip.box for clip in clips], code_key(__name__)])
    path = cache / f"checked-{key}.json"
    with locked(path.with_suffix(".lock")):
        try:
            problems = read_json(path)["problems"]
        except (UserError, OSError):  # damaged, or not there
            sweep(path.parent, path.name)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                found = in_order(pool, _first_problem, ids, clips)
                bar = tqdm(found, "checking images", len(ids), unit="clip", disable=None, leave=False)
                problems = [vars(problem) for problem in bar if problem]
            write_json(path, {"problems": problems})
    return [Problem.of(problem) for problem in problems]


def undecodable(images: Mapping[str, str]) -> list[Problem]:
    """The problem of each image that cannot be decoded; `images`: path → sample. Nothing is cached."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = in_order(pool, _problem, images.values(), images)
        bar = tqdm(found, "decoding", len(images), unit="image", disable=None, leave=False)
        return [problem for problem in bar if problem]


def _first_problem(sample: str, frames: Frames) -> Problem | None:
    problems = (_problem(sample, frames.path(number), frames.box) for number in frames.numbers)
    return next(filter(None, problems), None)


def _problem(sample: str, path: str, box: Box | None = None) -> Problem | None:
    try:
        check(path, box)
    except UNREADABLE as error:
        return problem_with(path, error, sample)
    return None


def _frames(sample: str, files: Sequence[str], box: Box | None, **how: Any) -> np.ndarray | Problem:
    """The frames of a sample (T, H, W, C), or the problem of the first that cannot be read."""
    images, file = [], sample
    try:
        for file in files:
            images.append(read(file, box=box, **how))
        return np.stack(images)
    except UNREADABLE as error:
        return problem_with(file, error, sample)


def _decode(
    path: Path, one: Callable[..., np.ndarray | Problem], frame: tuple[int, ...], ids: Sequence[str], *columns: Any
) -> dict[str, Any]:
    """Write `one(id, *columns)` of all samples to `path`; then write and return the index that vouches for it."""
    kept: list[str] = []
    start: list[int] = [0]
    problems: list[dict[str, Any]] = []

    def clips() -> Iterator[memoryview]:
        made = in_order(pool, one, ids, *columns)
        bar = tqdm(made, "decoding", len(ids), unit="clip", disable=None, leave=False)
        for sample, clip in zip(ids, bar, strict=True):
            if isinstance(clip, Problem):
                problems.append(vars(clip))
                continue
            kept.append(sample)
            start.append(start[-1] + len(clip))
            yield clip.data

    sweep(path.parent, f"{path.stem}.*")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        crc = write_binary(path, clips())
    index = {"ids": kept, "start": start, "shape": (start[-1], *frame), "problems": problems, "crc of the file": crc}
    write_json(path.with_suffix(".json"), index)
    return index


def in_order(pool: ThreadPoolExecutor, one: Callable[..., Made], *columns: Iterable[Any]) -> Iterator[Made]:
    """`pool.map`, at most a few results a thread ahead of its reader: those of a million images fit in no memory."""
    waiting: deque[Future[Made]] = deque()
    for row in zip(*columns, strict=True):
        waiting.append(pool.submit(one, *row))
        if len(waiting) > 4 * (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _index_of(path: Path) -> dict[str, Any] | None:
    """The JSON file beside `path` that was written after it; None where either is missing or damaged.

    The checksum of `path` is compared again only after a day, or when its size or time of change differs: the cache of
    a large corpus is opened in a second then, and not read once in each process. The caller holds its lock.
    """
    try:
        index, mark = read_json(path.with_suffix(".json")), path.with_name(f"{path.name}.checked")
        crc = index["crc of the file"]
        seen = f"{size_and_time(path)} {crc}"
    except (UserError, OSError, KeyError):
        return None
    with suppress(OSError, ValueError):  # never checked, or not text
        if VERIFY not in os.environ and mark.read_text() == seen and time.time() - os.stat(mark).st_mtime < CHECKED:
            return index
    if not intact(path, crc):
        return None
    with suppress(OSError):  # a full disk
        mark.write_text(seen)
    return index
