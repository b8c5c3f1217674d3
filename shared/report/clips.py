"""The clips that a user asks `predict` for, one by one: from folders, videos, lists of them, or single images."""

import argparse
import csv
import importlib.util
import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..corpora.folders import IMAGES, list_frames
from ..corpora.samples import Frames, Reading, Video, out_of_order
from ..corpora.sheets import as_int
from ..errors import UserError, log, pip_install
from ..files import opened
from ..pixels.apex import with_apex
from ..pixels.boxes import DetectorMissing, detect, has_background
from ..pixels.images import UNREADABLE, load
from ..pixels.videos import CONTAINERS, decoded

MOMENTS, SIDES = ("onset", "apex", "offset"), ("left", "top", "right", "bottom")
VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".m4v")
FPS = 200.0  # of folders of images, where nothing else is said
Asked = Mapping[str, Any]  # a row of a list of clips: clip, MOMENTS, fps, SIDES as text or numbers; and where it stands


def asked(args: argparse.Namespace) -> Iterator[Asked]:
    """The clips that a command line names, in order. Raises UserError where it names none."""
    common = {"fps": args.fps, **dict(zip(SIDES, args.box or (), strict=False)), "where": ""}
    moments = {moment: getattr(args, moment) for moment in MOMENTS}
    paths = [found for path in args.clip for found in (inside(path) if path.is_dir() else [path])]
    if not paths:
        if None in (args.onset, args.apex):
            raise UserError("give --clip with a folder or a video, or images with --onset and --apex")
        if args.offset is None:
            log("no --offset: using the apex image")
        yield {**common, **moments, "clip": None}
    elif any(moments.values()) and (len(paths) > 1 or paths[0].suffix.lower() == ".csv"):
        raise UserError("--onset, --apex and --offset are those of one clip; a CSV has them for many")
    for path in paths:
        if path.suffix.lower() == ".csv" and not path.is_dir():
            for row in rows(path):
                yield {**({"fps": args.fps} if row.keys() & {*SIDES} else common), **row}
        else:
            yield {**common, **moments, "clip": path}


def inside(folder: Path) -> list[Path]:
    """The clips in a folder, at any depth: folders of numbered images, and videos. Without any, the folder itself.

    Raises UserError where a folder of images holds clips, too."""

    def found(folder: Path) -> list[Path]:
        clips: list[Path] = []
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                clips += found(path)
            elif path.suffix.lower() in VIDEOS:
                clips.append(path)
        if not list_frames(str(folder)):
            return clips
        if clips:
            raise UserError(f"{folder} holds numbered images, and clips such as {clips[0]}: keep them apart")
        return [folder]

    return found(folder) or [folder]


def rows(path: Path) -> Iterator[Asked]:
    """The filled cells of each row of a CSV of clips, or its "fault"; paths in it start from its own folder."""
    try:
        with opened(path) as binary, io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", newline="") as file:
            head = file.readline()
            file.seek(0)
            table = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            names = [re.sub(r"(?<=\w)[ _]?frame$", "", n.strip().lower()) for n in table.fieldnames or ()]  # OnsetFrame
            table.fieldnames, known = names, ("clip", *MOMENTS, "fps", *SIDES)
            if "clip" not in names:
                raise UserError(f"{path}, row 1: no column clip; expected {', '.join(known)}")
            if twice := [name for name in known if names.count(name) > 1]:
                raise UserError(f"{path}, row 1: two columns of {', '.join(twice)}; keep one of each")
            written = "labels", *(name for name in names if name.startswith("score "))  # by `predict`
            if unused := [name for name in names if name and name not in (*known, *written)]:
                log(f"{path}: not used: {', '.join(unused)}; the columns that are: {', '.join(known)}")
            for row in table:
                cells = {key: cell for key, cell in row.items() if key and cell and cell.strip()}
                where = f"{path}, row {table.line_num}: "
                if cells and "clip" not in cells:
                    yield {"clip": path, "where": where, "fault": f"no clip, but {', '.join(cells)}"}
                elif cells:
                    yield {**cells, "clip": path.parent / cells["clip"], "where": where}
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file ({error})") from error


def frames_of(wanted: Asked, cache: Path) -> tuple[Frames, float]:
    """The images of a clip, a video's decoded into `cache`, and their frame rate. Raises UserError for a mistake."""
    clip, where, fps = wanted["clip"], wanted["where"], FPS
    if "fault" in wanted:
        raise UserError(f"{where}{wanted['fault']}")
    if clip is None:
        return images_of(wanted), fps
    if not clip.exists():
        raise UserError(f"{where}clip {clip} does not exist: expected a folder of images or a video")
    if clip.suffix.lower() in IMAGES and clip.is_file():
        raise UserError(f"{where}{clip} is one image; give the folder of its clip, or images as --onset and --apex")
    frames = list_frames(str(clip))
    if not clip.is_dir():
        table = pd.DataFrame([{"sample": clip.name, "frames": Video(str(clip)), "offset": None}])
        reading = decoded(Reading("your clip", str(clip), "", table), cache)
        if reading.problems:
            raise UserError(f"{where}{clip}: {reading.problems[0].what}")
        frames, fps = reading.samples["frames"][0], rate(clip)
    if frames.twice:
        raise UserError(f"{where}two images of one frame number in {clip}: {frames.twice[0]}; keep one of each")
    if len(frames) < 2:
        raise UserError(f"{where}{clip} holds {len(frames)} numbered images; a clip needs at least two")
    if wanted.get("fps") is not None:
        fps = as_number(wanted["fps"])
        if not 0 < fps <= 10_000:
            raise UserError(
                f"{where or '--'}fps {wanted['fps']}: expected more than 0 and at most 10000 frames per second"
            )
    return frames, fps


def images_of(wanted: Asked) -> Frames:
    """The images that are given for onset, apex and offset, as frames 0, 1 and 2. Raises UserError for a mistake."""
    files = tuple(wanted[moment] or wanted["apex"] for moment in MOMENTS)
    for file in files:
        if not Path(file).is_file():
            raise UserError(f"{file} is not an image file; frame numbers need --clip")
    with suppress(*UNREADABLE):  # which is said where they are prepared
        sizes = dict.fromkeys(load(file, "L").size for file in files)
        if len(sizes) > 1:
            shown = ", ".join(f"{width} × {height}" for width, height in sizes)
            raise UserError(f"the images have different sizes, {shown}: give frames of one clip, cropped alike")
    return Frames("", files, (0, 1, 2))


def as_number(cell: object) -> float:
    """A cell as a number; nan where it is none."""
    try:
        return float(str(cell))
    except ValueError:
        return math.nan


def rate(video: Path) -> float:
    """The frame rate that a video's file declares; FPS where it declares none."""
    import av

    with opened(video) as file, av.open(file, options={"format_whitelist": CONTAINERS}) as container:
        return float(container.streams.video[0].average_rate or FPS)


def sample_of(wanted: Asked, frames: Frames, fps: float, cache: Path) -> pd.DataFrame:
    """A clip as a table of one sample, in the frames that it names; apex and box are found where none are given.

    Raises UserError for a mistake.
    """
    clip, where = wanted["clip"], wanted["where"]
    numbers: dict[str, int | None] = {"onset": 0, "apex": 1, "offset": 2}
    if clip is not None:
        texts = {moment: wanted.get(moment) for moment in MOMENTS}
        if wrong := [f"{m} {t}" for m, t in texts.items() if t is not None and as_int(t) is None]:
            raise UserError(f"{where or '--'}{', '.join(wrong)}: expected a frame number")
        given = {moment: as_int(text) for moment, text in texts.items()}
        for number in given.values():
            if number is not None and number not in frames:
                raise UserError(f"{where}{clip}: no frame {number} (frames on disk: {frames.first}..{frames.last})")
        ends = {"onset": frames.numbers[0], "offset": frames.numbers[-1]}
        numbers = {m: ends.get(m) if n is None else n for m, n in given.items()}
        if faults := out_of_order(*numbers.values()):
            raise UserError(f"{where}{faults[0][0]}; give them in their order")
    row = {"sample": str(clip or "your clip"), "corpus": "", "subject": "you", "fps": fps, **numbers}
    frames = replace(frames, box=box_of(wanted, frames, numbers["onset"] or 0))
    try:
        samples, problems = with_apex(pd.DataFrame([{**row, "frames": frames}]), cache)
    except ValueError as error:  # few frequencies are left at a high frame rate
        raise UserError(f"no apex can be found in {clip} at {fps:g} fps: {error}, or give the apex") from error
    if problems:
        raise UserError(str(problems[0]))
    return samples


def box_of(wanted: Asked, frames: Frames, onset: int) -> tuple[int, int, int, int] | None:
    """The box that is given, or that of the face in the onset image where that shows more; None where it does not.

    Raises UserError where no face is found, DetectorMissing.
    """
    if cells := [str(wanted[side]) for side in SIDES if wanted.get(side) is not None]:
        box = [as_number(cell) for cell in cells]
        if len(box) < 4 or not all(map(math.isfinite, box)) or box[0] >= box[2] or box[1] >= box[3]:
            what = "expected left < right and top < bottom, in pixels"
            raise UserError(f"{wanted['where'] or '--'}box {', '.join(cells)}: {what}")
        left, top, right, bottom = map(round, box)
        return left, top, right, bottom
    path = frames.path(onset)
    if not has_background(pd.DataFrame([{"frames": replace(frames, names=(path,), numbers=(onset,), folder="")}])):
        return None
    shown = wanted["clip"] if wanted["clip"] and wanted["clip"].is_file() else path  # a video, not its decoded frame
    if not importlib.util.find_spec("dlib"):
        raise DetectorMissing(
            f"{shown} shows more than the face: install a detector ({pip_install('dlib-bin')}), or give the face's box "
            "(--box, or in a CSV)"
        )
    try:
        found = detect(np.asarray(load(path, "RGB")))
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if found is None:
        raise UserError(f"no face found in {shown}: give its box (--box, or in a CSV)")
    return found
