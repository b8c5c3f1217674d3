"""Where the face is in frames that show more than it: one box a clip, in a file to look at and to correct."""

import csv
import dataclasses
import hashlib
import importlib.util
import math
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from tqdm import tqdm

from ..corpora.samples import Frames, Problem, Reading
from ..errors import UserError, log
from ..files import digest, locked, replacing, sweep
from ..keys import code_key, fingerprint
from .frames import in_order
from .images import Box

COLUMNS = ("sample", "left", "top", "right", "bottom")
FOUND = "found in"  # a further column of boxes that a detector found: what they depend on
LOOKED_AT = 50  # clips, evenly spread, by which a corpus is judged
WIDE = 1.1  # width / height from which a frame shows more than a face
WIDENED = 0.1  # of its side, on each side: the detector's box cuts through raised brows and chins
LONGEST = 640  # pixels of the longer side in which faces are looked for
SAVED = 10.0  # seconds between two writes of the boxes found so far
SHOWN, COLUMN, THUMB = 240, 12, 160  # clips on the contact sheet, in a row of it, and the width of one


class DetectorMissing(UserError):
    """Boxes are needed, and there is neither a file of them nor a detector."""


def boxed(reading: Reading, cache: str | Path) -> Reading:
    """The reading with a box on the frames of each sample, where its images show more than the face.

    A clip's box comes from `boxes.csv` in the corpus's folder, or else from the file in `cache`, into which those of
    clips that neither names are written as a detector finds them in the clip's onset frame; beside it lies a contact
    sheet. What was found in another image, or by other code, is found again. Clips without a face leave the samples and
    are one problem, a count. Raises UserError for a broken file, DetectorMissing.
    """
    if not has_background(reading.samples):
        return reading
    own = Path(reading.root) / "boxes.csv"
    place = f"{reading.corpus}-{hashlib.sha256(reading.root.encode()).hexdigest()[:8]}"
    made = Path(cache) / "boxes" / f"{place}.csv"
    with locked(made.with_suffix(".lock")):
        sweep(made.parent, f"{place}.*")
        known, given, marks = load(made), load(own), _marks(made)
        lacking = reading.samples[~reading.samples["sample"].isin(given)]
        stale = [row.sample in marks and marks[row.sample] != _mark(row) for row in lacking.itertuples()]
        lacking = lacking[~lacking["sample"].isin(known) | np.array(stale, dtype=bool)]
        if len(lacking):
            if not importlib.util.find_spec("dlib"):
                raise DetectorMissing(
                    f"{reading.corpus}: its frames show more than the face, and {len(lacking)} of "
                    f"{len(reading.samples)} clips have no box: install a detector (pip install dlib-bin), or give the "
                    f"boxes in {own}, columns {', '.join(COLUMNS)}, in pixels (samples are named like "
                    f"{lacking['sample'].iloc[0]})"
                )
            _detect(lacking, reading.corpus, made, known, marks)
        sheet = made.with_suffix(".png")
        if not sheet.exists() or any(f.exists() and f.stat().st_mtime > sheet.stat().st_mtime for f in (own, made)):
            contact_sheet(reading.samples, known | given, sheet)
            log(
                f"{reading.corpus}: boxes of {len(reading.samples)} clips are shown in {sheet}; they are kept in "
                f"{made}, and {own} goes before it"
            )
    boxes = known | given
    frames = [dataclasses.replace(row.frames, box=boxes.get(row.sample)) for row in reading.samples.itertuples()]
    seen = np.array([f.box is not None for f in frames], dtype=bool)
    samples, faceless = reading.samples.assign(frames=frames)[seen], reading.samples[~seen]
    problems = list(reading.problems)
    if len(faceless):
        first = next(faceless.itertuples())
        count = f", nor in {len(faceless) - 1} more of {len(frames)} clips" if len(faceless) > 1 else ""
        where = own if first.sample in given else made
        what, remedy = f"no face found in {_first(first)}{count}", "write the boxes there, in the rows without one"
        problems.append(Problem(str(where), None, what, remedy, first.sample))
    return dataclasses.replace(reading, samples=samples.reset_index(drop=True), problems=problems)


def has_background(samples: pd.DataFrame) -> bool:
    """Whether images show more than a face: released crops are square or higher than wide, whole frames are wide.

    Looks at some clips' first images only: of one corpus all are crops, or none.
    """
    step = math.ceil(len(samples) / LOOKED_AT) or 1
    for frames in samples["frames"].iloc[::step]:
        try:
            with Image.open(frames.path(frames.numbers[0])) as image:
                if image.width > WIDE * image.height:
                    return True
        except OSError:  # named when the clip's frames are prepared
            continue
    return False


def load(path: Path) -> dict[str, Box | None]:
    """sample -> box, or None where its row is empty. Raises UserError naming every row that is wrong."""
    if not path.exists():
        return {}
    boxes, wrong = {}, []
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise UserError(f"{path}, row 1: no column {', '.join(missing)}; expected {','.join(COLUMNS)}")
        for number, row in enumerate(rows, 2):
            cells = [(row[name] or "").strip() for name in COLUMNS[1:]]
            try:
                box = tuple(round(float(cell)) for cell in cells) if any(cells) else None
                if box and not (box[0] < box[2] and box[1] < box[3]):
                    raise ValueError
            except (ValueError, OverflowError):
                wrong.append(f"row {number} ({row['sample']}): {','.join(cells)}")
                continue
            boxes[row["sample"]] = box
    if wrong:
        raise UserError(f"{path}: expected left < right and top < bottom, in pixels\n  " + "\n  ".join(wrong))
    return boxes


def detect(image: np.ndarray) -> Box | None:
    """The largest face that dlib's frontal detector finds in uint8 (H, W, 3), widened; None where it finds none."""
    H, W = image.shape[:2]
    scale = max(1.0, max(H, W) / LONGEST)
    small = np.asarray(Image.fromarray(image).resize((round(W / scale), round(H / scale)), Image.Resampling.BILINEAR))
    find = _detector()
    faces = find(small, 0) or find(small, 1)  # the second time at twice the size, for small faces
    if not faces:
        return None
    face = max(faces, key=lambda face: face.area())
    more = WIDENED * face.width()
    left, top = max(face.left() - more, 0), max(face.top() - more, 0)
    right, bottom = face.right() + 1 + more, face.bottom() + 1 + more
    return round(left * scale), round(top * scale), min(round(right * scale), W), min(round(bottom * scale), H)


_own = threading.local()


def _detector():
    """This thread's detector: one is not to be used by two at once."""
    if not hasattr(_own, "detector"):
        import dlib

        _own.detector = dlib.get_frontal_face_detector()
    return _own.detector


def _first(row) -> str:
    """The image of a sample in which its face is looked for."""
    frames: Frames = row.frames
    return frames.path(frames.numbers[0] if pd.isna(row.onset) else row.onset)


def _mark(row) -> str:
    """What a detected box depends on: the image and the code."""
    try:
        return digest([fingerprint(_first(row)), code_key(__name__)])
    except OSError:  # named when the clip's frames are prepared
        return ""


def _marks(made: Path) -> dict[str, str]:
    """What the boxes of a file were found in; of those that somebody has written by hand nothing."""
    if not made.exists():
        return {}
    with open(made, newline="", encoding="utf-8-sig", errors="replace") as file:
        return {row["sample"]: row[FOUND] for row in csv.DictReader(file) if row.get(FOUND)}


def _detect(
    samples: pd.DataFrame, corpus: str, made: Path, known: dict[str, Box | None], marks: dict[str, str]
) -> None:
    """Add the boxes of `samples` to `known`, what they were found in to `marks`, and both, as they come, to `made`.

    A clip whose image cannot be read gets no row: that is not to be remembered.
    """

    def one(row) -> tuple[str, Box | None, str] | None:
        try:
            with Image.open(_first(row)) as image:
                return row.sample, detect(np.asarray(image.convert("RGB"))), _mark(row)
        except (OSError, SyntaxError, ValueError):
            return None

    saved = time.monotonic()
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = in_order(pool, one, samples.itertuples())
            for face in tqdm(found, f"faces of {corpus}", len(samples), unit="clip", disable=None, leave=False):
                if face:
                    known[face[0]], marks[face[0]] = face[1:]
                if time.monotonic() - saved > SAVED:
                    _write(made, known, marks)
                    saved = time.monotonic()
    finally:
        _write(made, known, marks)


def _write(path: Path, boxes: Mapping[str, Box | None], marks: Mapping[str, str]) -> None:
    rows = ((sample, *(box or [""] * 4), marks.get(sample, "")) for sample, box in boxes.items())
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([(*COLUMNS, FOUND), *rows])


def contact_sheet(samples: pd.DataFrame, boxes: Mapping[str, Box | None], path: Path) -> None:
    """A picture of clips, evenly spread, each with its box."""
    tiles = []
    for row in samples.iloc[:: math.ceil(len(samples) / SHOWN)].itertuples():
        try:
            with Image.open(_first(row)) as image:
                scale = THUMB / image.width
                tile = image.convert("RGB").resize((THUMB, round(scale * image.height)))
        except (OSError, SyntaxError, ValueError):
            continue
        draw = ImageDraw.Draw(tile)
        if box := boxes.get(row.sample):
            draw.rectangle([scale * side for side in box], outline="lime", width=2)
        draw.text((3, tile.height - 12), row.sample.partition("/")[2], "lime" if box else "red")
        tiles.append(tile)
    height = max((tile.height for tile in tiles), default=1)
    sheet = Image.new("RGB", (COLUMN * THUMB, math.ceil(len(tiles) / COLUMN) * height or 1), "white")
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % COLUMN * THUMB, i // COLUMN * height))
    with replacing(path) as temporary:
        sheet.save(temporary, "png")
