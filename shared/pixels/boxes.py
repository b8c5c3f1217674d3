"""Where the face is in frames that show more than it: one box a clip, in a file to look at and to correct."""

import csv
import dataclasses
import hashlib
import importlib.util
import io
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageOps
from tqdm import tqdm

from ..corpora.samples import Problem, Reading
from ..errors import UserError, log, pip_install
from ..files import digest, locked, opened, replacing, sweep
from ..keys import code_key, sha256
from .frames import in_order
from .images import UNREADABLE, Box, problem_with
from .images import load as load_image

Given = tuple[Box | None, str]  # a row of a file of boxes: the box, None where it is blank; what it was found in, or ""

COLUMNS = ("sample", "left", "top", "right", "bottom")
FOUND = "found in"  # a further column of boxes that a detector found: what they depend on
LOOKED_AT = 50  # clips, evenly spread, by which a corpus is judged
WIDE = 1.1  # width / height from which a frame shows more than a face
WIDENED = 0.1  # of its side, on each side: the detector's box cuts through raised brows and chins
LONGEST = 640  # pixels of the longer side in which faces are looked for
SAVED = 10.0  # seconds between two writes of the boxes found so far
SHOWN, COLUMNS_SHOWN, THUMB = 240, 12, 160  # clips on the contact sheet, in a row of it, and pixels of a side of each


class DetectorMissing(UserError):
    """Boxes are needed, and there is neither a file of them nor a detector."""


def boxed(reading: Reading, cache: Path) -> Reading:
    """The reading with a box on the frames of each sample, where its images show more than the face.

    A clip's box comes from `boxes.csv` in the corpus's folder, which counts for images of faces alone, too; otherwise
    from a file in `cache`. For clips that neither names, a detector looks at the onset frame and adds the box to that
    file; a contact sheet lies beside it. A box that was found in another image, or by other code, is found again,
    unless somebody has changed it. Clips without a face leave the samples and make one problem, a count. Raises
    UserError for a broken file, DetectorMissing.
    """
    samples, own = reading.samples, Path(reading.root) / "boxes.csv"
    given = {sample: box for sample, (box, _) in load(own).items()}
    if odd := [sample for sample in given if not sample.startswith(f"{reading.corpus}/")]:
        example = f", for example {samples['sample'].iloc[0]}" if len(samples) else ""
        raise UserError(f"{own}: sample {odd[0]!r}: expected {reading.corpus}/ at the beginning{example}")
    if not has_background(samples):
        return dataclasses.replace(reading, samples=_with(given, samples)) if given else reading
    columns = (samples[name] for name in ("sample", "frames", "onset"))
    images = {s: f.path(f.numbers[0] if pd.isna(n) else n) for s, f, n in zip(*columns, strict=True)}
    place = f"{reading.corpus}-{hashlib.sha256(os.fsencode(reading.root)).hexdigest()[:8]}"
    made = cache / "boxes" / f"{place}.csv"
    with locked(made.with_suffix(".lock")):
        sweep(made.parent, f"{place}.*")
        boxes = _complete(images, reading.corpus, own, given, made)
    unread = [problem for sample, path in images.items() if sample not in boxes and (problem := _unread(path, sample))]
    problems, broken = [*reading.problems, *unread], {problem.sample for problem in unread}
    if faceless := [sample for sample in images if not boxes.get(sample) and sample not in broken]:
        count = f", nor in {len(faceless) - 1} more of {len(images)} clips" if len(faceless) > 1 else ""
        where = own if faceless[0] in given else made
        what = f"no face found in {images[faceless[0]]}{count}"
        remedy = "write the boxes there, in the rows without one"
        problems.append(Problem(str(where), None, what, remedy, faceless[0], tuple(faceless[1:])))
    samples = _with(boxes, samples[~samples["sample"].isin({*faceless, *broken})].reset_index(drop=True))
    return dataclasses.replace(reading, samples=samples, problems=problems)


def _unread(path: str, sample: str) -> Problem | None:
    """The problem of a clip whose image cannot be read. Raises UserError where the disk is at fault."""
    try:
        load_image(path, "L")
    except UNREADABLE as error:
        return problem_with(path, error, sample)
    return None


def _with(boxes: Mapping[str, Box | None], samples: pd.DataFrame) -> pd.DataFrame:
    """The samples with these boxes on their frames."""
    frames = [
        dataclasses.replace(frames, box=boxes[sample]) if sample in boxes else frames
        for sample, frames in zip(samples["sample"], samples["frames"], strict=True)
    ]
    return samples.assign(frames=frames)


def _complete(
    images: Mapping[str, str], corpus: str, own: Path, given: dict[str, Box | None], made: Path
) -> dict[str, Box | None]:
    """The boxes of these clips, sample -> image: those `given` in the file `own`, before those in the file `made`.

    Missing ones are detected and added to `made`. Raises DetectorMissing."""
    known = load(made)
    wanted = {
        sample: image
        for sample, image in images.items()
        if sample not in given and (sample not in known or _stale(*known[sample], image))
    }
    if wanted:
        if not importlib.util.find_spec("dlib"):
            raise DetectorMissing(
                f"{corpus}: its frames show more than the face, and {len(wanted)} of {len(images)} clips "
                f"have no box: install a detector ({pip_install('dlib-bin')}), or give the boxes in {own}, columns "
                f"{', '.join(COLUMNS)}, in pixels (samples are named like {next(iter(wanted))})"
            )
        _detect(wanted, corpus, made, known)
    boxes = {sample: box for sample, (box, _) in known.items()} | given
    sheet = made.with_suffix(".png")
    if not sheet.exists() or any(f.exists() and f.stat().st_mtime > sheet.stat().st_mtime for f in (own, made)):
        contact_sheet(images, boxes, sheet)
        log(
            f"{corpus}: boxes of {len(images)} clips are shown in {sheet}; they are kept in {made}, and "
            f"those in {own} take precedence"
        )
    return boxes


def has_background(samples: pd.DataFrame) -> bool:
    """Whether images show more than a face: released crops are square or higher than wide, whole frames are wide.

    Looks only at the first image of some clips: in one corpus all are crops, or none.
    """
    step = math.ceil(len(samples) / LOOKED_AT) or 1
    for frames in samples["frames"].iloc[::step]:
        with suppress(*UNREADABLE):  # named when the clip's frames are prepared
            width, height = load_image(frames.path(frames.numbers[0]), "L").size
            if width > WIDE * height:
                return True
    return False


def load(path: Path) -> dict[str, Given]:
    """sample -> its row in a file of boxes. Raises UserError naming every row that is wrong."""
    if not path.exists():
        return {}
    boxes: dict[str, Given] = {}
    wrong = []
    try:
        with opened(path) as binary, io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                raise UserError(f"{path}, row 1: no column {', '.join(missing)}; expected {','.join(COLUMNS)}")
            for number, row in enumerate(rows, 2):
                cells = [(row[name] or "").strip() for name in COLUMNS[1:]]
                try:
                    box = _box(cells) if any(cells) else None
                except (ValueError, OverflowError):
                    wrong.append(f"row {number} ({row['sample']}): {','.join(cells)}")
                    continue
                sample = (row["sample"] or "").strip()
                if sample in boxes:
                    wrong.append(f"row {number} ({sample}): a second row of this sample")
                boxes[sample] = box, row.get(FOUND) or ""
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file ({error}); expected {','.join(COLUMNS)}") from error
    if wrong:
        expected = "expected one row a sample, left < right and top < bottom, in pixels"
        raise UserError(f"{path}: {expected}\n  " + "\n  ".join(wrong))
    return boxes


def _box(cells: Sequence[str]) -> Box:
    """A box from its four cells. Raises ValueError, OverflowError."""
    left, top, right, bottom = (round(float(cell)) for cell in cells)
    if left >= right or top >= bottom:
        raise ValueError
    return left, top, right, bottom


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


def _detector() -> Any:
    """This thread's detector: one must not be used by two threads at once."""
    if not hasattr(_own, "detector"):
        import dlib

        _own.detector = dlib.get_frontal_face_detector()
    return _own.detector


def _mark(image: str, box: Box | None) -> str:
    """Digests of what a detected box depends on, the image file and the code, and of the box itself."""
    try:
        return f"{digest([sha256(image), code_key(__name__)])}-{digest([box])}"
    except OSError:  # named when the clip's frames are prepared
        return ""


def _stale(box: Box | None, mark: str, image: str) -> bool:
    """Whether a detector found this box in another image, or by other code, and nobody has changed it since."""
    _, _, of_box = mark.partition("-")
    return mark not in ("", _mark(image, box)) and of_box in ("", digest([box]))


def _detect(images: Mapping[str, str], corpus: str, made: Path, known: dict[str, Given]) -> None:
    """Add the boxes of `images`, sample -> file, to `known`, and write that to `made` as they come.

    A clip whose image cannot be read gets no row: that is not to be remembered.
    """

    def one(path: str) -> Given | None:
        try:
            box = detect(np.asarray(load_image(path, "RGB")))
            return box, _mark(path, box)
        except UNREADABLE:
            return None

    saved = time.monotonic()
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = in_order(pool, one, images.values())
            bar = tqdm(found, f"faces of {corpus}", len(images), unit="clip", disable=None, leave=False)
            for sample, face in zip(images, bar, strict=True):
                if face:
                    known[sample] = face
                if time.monotonic() - saved > SAVED:
                    _write(made, known)
                    saved = time.monotonic()
    finally:
        _write(made, known)


def _write(path: Path, boxes: Mapping[str, Given]) -> None:
    rows = ((sample, *(box or [""] * 4), mark) for sample, (box, mark) in boxes.items())
    with replacing(path) as temporary, open(temporary, "w", -1, "utf-8", "surrogateescape", "") as file:
        csv.writer(file).writerows([(*COLUMNS, FOUND), *rows])


def contact_sheet(images: Mapping[str, str], boxes: Mapping[str, Box | None], path: Path) -> None:
    """A picture of clips, evenly spread, each with its box: `images` is sample -> file."""
    from torchvision.utils import make_grid  # here, because it takes seconds

    tiles = []
    for sample in list(images)[:: math.ceil(len(images) / SHOWN)]:
        try:
            image = load_image(images[sample], "RGB")
            scale = THUMB / max(image.size)
            tile = ImageOps.pad(image, (THUMB, THUMB), color="white", centering=(0, 0))
        except UNREADABLE:
            continue
        draw = ImageDraw.Draw(tile)
        if box := boxes.get(sample):
            draw.rectangle([scale * side for side in box], outline="lime", width=2)
        draw.text((3, THUMB - 12), sample.partition("/")[2], "green" if box else "red")
        tiles.append(torch.from_numpy(np.array(tile)).movedim(-1, 0))
    tiles = tiles or [torch.full((3, THUMB, THUMB), 255, dtype=torch.uint8)]  # no image could be read
    sheet = make_grid(tiles, nrow=COLUMNS_SHOWN, padding=0).movedim(0, -1)
    with replacing(path) as temporary:
        Image.fromarray(sheet.numpy()).save(temporary, "png")
