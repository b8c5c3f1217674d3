"""Pixels: frames read, cropped and resized once, then kept in a cache that every process maps into memory."""

import hashlib
import os
import shutil
import tempfile
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from ..corpora.samples import Frames, Problem
from ..errors import UserError
from ..files import REMEDY, digest, locked, read_json, sealed, sealing, sweep, write_json
from ..keys import VERIFY, code, pixels, stamp

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the released frame
CHECKED = 24 * 3600.0  # seconds for which a file that had its checksum is known by its size and time of change


@dataclass(frozen=True)
class Store:
    """Prepared frames: `array` (frames, H, W, C) uint8, the frames of `ids[i]` at `start[i]:start[i + 1]`."""

    ids: tuple[str, ...]
    array: np.ndarray
    start: np.ndarray
    problems: list[Problem] = field(default_factory=list)
    digest: str = ""
    folder: Path = Path()

    def clip(self, i: int) -> np.ndarray:
        """The frames of sample `ids[i]`: (T, H, W, C) uint8, a view."""
        return self.array[self.start[i] : self.start[i + 1]]

    def stacked(self) -> np.ndarray:
        """All samples as (N, K, H, W, C) when each has the same number K of frames, a view."""
        return self.array.reshape(len(self.ids), -1, *self.array.shape[1:])


class BoxError(ValueError):
    """A box that holds no pixel of its frame."""


def read(
    path: str, size: int | tuple[int, int], *, box: Box | None = None, gray: bool = False, smooth: bool = True
) -> np.ndarray:
    """One frame, cropped to what it holds of `box` and resized to `size` (H, W): uint8 (H, W, C).

    `smooth`: what is made smaller is averaged; else as OpenCV does by default, see `sampled`. No pixel from outside the
    box counts. Raises OSError when the file is cut off, BoxError when the box lies outside.
    """
    height, width = (size, size) if isinstance(size, int) else size
    with Image.open(path) as image:
        image = image.convert("L" if gray else "RGB")
        if box:  # cut out first: a resize of the box alone would mix in what lies around it
            image = image.crop(_within(box, image))
        if image.size != (width, height):
            if not smooth:
                return sampled(np.asarray(image).reshape(image.height, image.width, -1), height, width)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(height, width, -1)


def _within(box: Box, image: Image.Image) -> Box:
    """What an image holds of `box`. Raises BoxError when that is nothing."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height)
    if left >= right or top >= bottom:
        raise BoxError(f"the box {box} lies outside the image of {image.width} × {image.height} pixels")
    return left, top, right, bottom


def sampled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image (H, W, C) uint8 resized bilinearly from the four pixels around each place alone, whatever lies between:
    in 11 bits, with the roundings of OpenCV's default."""

    def taps(n: int, count: int) -> tuple[np.ndarray, ...]:
        at = ((np.arange(count) + 0.5) * (n / count) - 0.5).clip(0, n - 1)
        low = at.astype(int)
        weight = np.rint((at - low).astype(np.float32) * 2048).astype(np.int32)
        return low, (low + 1).clip(max=n - 1), 2048 - weight, weight

    (top, bottom, a, b), (left, right, c, d) = taps(image.shape[0], height), taps(image.shape[1], width)
    wide = image.astype(np.int32)
    rows = (wide[:, left] * c[:, None] + wide[:, right] * d[:, None]) >> 4
    return (((rows[top] * a[:, None, None] >> 16) + (rows[bottom] * b[:, None, None] >> 16) + 2) >> 2).astype(np.uint8)


def stream(path: str, size: int | tuple[int, int], *, box: Box | None = None) -> np.ndarray:
    """`read` in the midst of a training. Raises UserError naming the file."""
    try:
        return read(path, size, box=box)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; {REMEDY}") from error


def prepare(
    samples: pd.DataFrame,
    numbers: Sequence[Sequence[int]],
    *,
    size: int | tuple[int, int],
    cache: str | Path,
    gray: bool = False,
    smooth: bool = True,
) -> Store:
    """The frames `numbers[i]` of each sample i, cropped to its box if it has one, from the cache or decoded into it.

    The cache's key is what the result depends on: the files (path, size and time of change or content), the boxes, the
    settings, the code. A sample with a frame that cannot be read is left out of `ids` and named in `problems`.
    """
    height, width = (size, size) if isinstance(size, int) else size
    paths = [[row.frames.path(n) for n in wanted] for row, wanted in zip(samples.itertuples(), numbers, strict=True)]
    key = hashlib.sha256(f"{height} {width} {gray} {smooth} {code(__name__)}".encode())
    ids, boxes = list(samples["sample"]), [frames.box for frames in samples["frames"]]
    for sample, files, box in zip(ids, paths, boxes, strict=True):
        for file in files:
            try:
                key.update(f"{sample} {file} {stamp(file)} {box}\n".encode())
            except OSError as error:
                raise UserError(f"{file} cannot be read any more: {error.strerror}; {REMEDY}") from error
    folder = Path(cache) / key.hexdigest()[:16]
    with locked(folder.with_suffix(".lock")):
        store = _open(folder)
        if store is None:
            for left in [folder, *folder.parent.glob(f".{folder.name}.*")]:  # spoilt, or of a process that died
                shutil.rmtree(left, ignore_errors=True)
            _decode(folder, ids, paths, boxes, (height, width), gray, smooth)
            store = _open(folder)
    return store


def unreadable(samples: pd.DataFrame, cache: str | Path) -> list[Problem]:
    """A problem for each sample with a frame that `stream` could not read, for samples that fit in no memory.

    Every image is decoded once, as small as its format allows; what was found stays in the cache, under a key of the
    files, the boxes and the code.
    """
    ids, clips = list(samples["sample"]), list(samples["frames"])
    key = digest([pixels(samples), [clip.box for clip in clips], code(__name__)])
    path = Path(cache) / f"checked-{key}.json"
    with locked(path.with_suffix(".lock")):
        try:
            problems = read_json(path)["problems"]
        except (UserError, OSError):  # spoilt, or not there
            sweep(path.parent, path.name)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                found = in_order(pool, _check, ids, clips)
                bar = tqdm(found, "checking images", len(ids), unit="clip", disable=None, leave=False)
                problems = [vars(problem) for problem in bar if problem]
            write_json(path, {"problems": problems})
    return [Problem(**problem) for problem in problems]


def _check(sample: str, frames: Frames) -> Problem | None:
    for number in frames.numbers:
        try:
            _decodes(path := frames.path(number), frames.box)
        except (OSError, SyntaxError, ValueError) as error:
            return _problem(error, path, sample)
    return None


def _decodes(path: str, box: Box | None = None) -> None:
    """Decode an image, a JPEG at an eighth of its size. Raises what `read` raises."""
    with Image.open(path) as image:
        if box:
            _within(box, image)
        image.draft("L", (1, 1))
        image.load()


def _problem(error: Exception, path: str, sample: str) -> Problem:
    """What keeps a sample out whose image `path` raised `error`. Raises UserError where that is the disk's fault."""
    if getattr(error, "errno", None):  # not to be remembered
        raise UserError(f"{path} cannot be read: {error.strerror}; {REMEDY}") from error
    if isinstance(error, BoxError):
        return Problem(path, None, str(error), "correct it", sample)
    return Problem(path, None, f"the image cannot be decoded ({error})", "copy it again from the release", sample)


def derive(store: Store, name: str, settings: Mapping[str, Any], one: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`one(clip)` of each sample's clip (T, H, W, C), stacked: (N, ...), from the cache or computed into it.

    The cache's key is the store, `name`, `settings` (anything JSON can hold) and the code of `one`, with all that its
    module imports.
    """
    function = one.func if isinstance(one, partial) else one
    path = store.folder / f"{name}-{digest([store.digest, name, dict(settings), code(function.__module__)])}.npy"
    with locked(path.with_suffix(".lock")):
        if not _whole(path, lambda: sealed(path)):
            sweep(path.parent, path.name)
            with sealing(path) as file, ThreadPoolExecutor(os.cpu_count()) as pool:
                clips = pool.map(one, map(store.clip, range(len(store.ids))))
                bar = tqdm(clips, name, len(store.ids), unit="clip", disable=None, leave=False)
                np.save(file, np.stack(list(bar)) if store.ids else np.empty(0))
        return np.load(path, mmap_mode="r")


def _decode(
    folder: Path,
    ids: list[str],
    paths: list[list[str]],
    boxes: list[Box | None],
    size: tuple[int, int],
    gray: bool,
    smooth: bool,
) -> None:
    """Decode into a temporary folder and rename it: what `folder` names is always whole."""

    def one(sample: str, files: list[str], box: Box | None) -> np.ndarray | Problem:
        images, file = [], sample
        try:
            for file in files:
                images.append(read(file, size, box=box, gray=gray, smooth=smooth))
            return np.stack(images)
        except (OSError, SyntaxError, ValueError) as error:
            return _problem(error, file, sample)

    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        kept, start, problems, crc = [], [0], [], 0
        # Plain writes: on a full disk one through a memory map ends the process without a word.
        with ThreadPoolExecutor(os.cpu_count()) as pool, open(temporary / "frames.u8", "wb") as file:
            clips = in_order(pool, one, ids, paths, boxes)
            bar = tqdm(clips, "decoding", len(ids), unit="clip", disable=None, leave=False)
            for sample, clip in zip(ids, bar, strict=True):
                if isinstance(clip, Problem):
                    problems.append(vars(clip))
                    continue
                file.write(clip)
                crc = zlib.crc32(clip, crc)
                kept.append(sample)
                start.append(start[-1] + len(clip))
        shape = (start[-1], *size, 1 if gray else 3)
        index = {"ids": kept, "start": start, "shape": shape, "problems": problems, "pixels": crc}
        write_json(temporary / "index.json", index)
        os.rename(temporary, folder)
    except OSError as error:
        raise UserError(f"cannot write prepared frames in {folder.parent}: {error.strerror}; {REMEDY}") from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def in_order(pool: ThreadPoolExecutor, one: Callable, *columns: Iterable) -> Iterator[Any]:
    """`pool.map`, ahead of who takes its results by a few a thread: those of a million images fit in no memory."""
    waiting: deque = deque()
    for row in zip(*columns, strict=True):
        waiting.append(pool.submit(one, *row))
        if len(waiting) > 4 * (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _open(folder: Path) -> Store | None:
    """The store in `folder`, or None when there is none or its content is not what was written."""
    try:
        index = read_json(folder / "index.json")
        shape = tuple(index["shape"])
        empty = np.zeros(shape, np.uint8)  # of nothing there is no memory map
        array = np.memmap(folder / "frames.u8", np.uint8, "r", shape=shape) if index["ids"] else empty
        if not _whole(folder / "frames.u8", lambda: zlib.crc32(array) == index["pixels"]):
            return None
        problems = [Problem(**p) for p in index["problems"]]
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return None
    return Store(tuple(index["ids"]), array, np.asarray(index["start"]), problems, f"{index['pixels']:08x}", folder)


def _whole(path: Path, check: Callable[[], bool]) -> bool:
    """Whether `path` is what was written, by `check`: not asked again within a day while size and time of change stay.

    The cache of a large corpus is read in a second then, and not once in each process. The caller holds its lock.
    """
    if not path.exists():
        return False
    stat, mark = os.stat(path), path.with_name(f"{path.name}.checked")
    seen = f"{stat.st_size} {stat.st_mtime_ns}"
    with suppress(OSError):  # never checked
        if VERIFY not in os.environ and mark.read_text() == seen and time.time() - os.stat(mark).st_mtime < CHECKED:
            return True
    if whole := check():
        with suppress(OSError):  # a full disk
            mark.write_text(seen)
    return whole
