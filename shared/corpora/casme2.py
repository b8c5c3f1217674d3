"""CASME II (2014): both editions of its sheet, released crops or raw frames."""

from __future__ import annotations

import os
import re

from . import aus
from .folders import Listing, find_corpus, frames, inside
from .sheets import Sheet, as_text, find_sheets
from .table import Collector, Reading, SheetError, loader

NAME = "CASME2"
NAMES = ("CASME2", "CASME II", "CASME-2")
FPS = 200.0
EMOTIONS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "others")
EDITIONS = {"20140508": "2014", "20190701": "2019"}
COLUMNS = {
    "Subject": (),
    "Filename": (),
    "OnsetFrame": ("Onset Frame", "Onset"),
    "ApexFrame": ("Apex Frame", "Apex", "ApexFrame1"),
    "OffsetFrame": ("Offset Frame", "Offset"),
    "Action Units": ("Action Unit", "AUs", "AU"),
    "Estimated Emotion": ("Emotion",),
    "Objective Classes": ("Objective Class",),
}
IMAGES = ("Cropped", "Cropped-updated/Cropped", "CASME2-RAW", "CASME2_RAW_selected", "CASME2_RAW")

# (sample, cell as printed) → why; the apex becomes the midpoint of onset and offset.
NO_APEX = {
    ("CASME2/sub04/EP12_01f", "/"): "the release prints no apex; taken as the midpoint of onset and offset",
}


def _edition(sheet: Sheet) -> str:
    """2014, or 2019 which adds the objective classes. Raises SheetError where name and columns disagree."""
    name = os.path.basename(sheet.path)
    edition = "2019" if "Objective Classes" in sheet.columns else "2014"
    dated = re.search(r"20\d{6}", name)
    if dated and dated[0] not in EDITIONS:
        raise SheetError(
            f"{sheet.path}: edition {dated[0]} is unknown (known: {', '.join(EDITIONS)}); "
            f"use one of these, or name the file after the one that it is"
        )
    if dated and EDITIONS[dated[0]] != edition:
        without = "has a" if edition == "2019" else "lacks the"
        raise SheetError(
            f"{sheet.path}, row {sheet.header_row}: edition unknown: named after {EDITIONS[dated[0]]}, but it "
            f"{without} column 'Objective Classes'; restore the sheet, or name the file after the edition that it is"
        )
    return edition


def read(root: str | os.PathLike, *, edition: str | None = None) -> Reading:
    """CASME II under `root`; where both editions lie there, the one asked for, else 2014.

    Raises CorpusMissing, and SheetError for a sheet that lacks columns or whose edition is unknown."""
    root = find_corpus(root, NAMES, (r"CASME2.*\.(xlsx?|csv)", r"Cropped-updated"))
    sheets = {_edition(sheet): sheet for sheet in find_sheets(
        root, COLUMNS, like=r"casme.*coding", optional=("Objective Classes",))}
    edition = edition or min(sheets)
    if edition not in sheets:
        raise SheetError(f"{root}: no sheet of the {edition} edition (found: {', '.join(sorted(sheets))})")
    sheet = sheets[edition]
    out = Collector(NAME, root, edition)
    if len(sheets) > 1:
        out.notes.append(f"both editions found; read {os.path.basename(sheet.path)}")
    images, clips = Listing(inside(root, *IMAGES)), {}
    if "raw" in os.path.basename(images.folder).lower():
        out.notes.append(f"no released crops: raw frames of {images.folder}")
    for row in sheet.rows:
        n = row.subject("Subject")
        subject, name = f"sub{n:02d}", row.text("Filename", "a clip's name")
        sample = f"{NAME}/{subject}/{name}"
        onset, offset = row.frame("OnsetFrame"), row.frame("OffsetFrame")
        why = NO_APEX.get((sample, as_text(row.cells["ApexFrame"])))
        if why and not row.faults:
            apex = (onset + offset) // 2
            out.correct(sample, "apex", f"{as_text(row.cells['ApexFrame'])!r} → {apex}", why)
        else:
            apex = row.frame("ApexFrame")
        emotion = row.word("Estimated Emotion", EMOTIONS)
        codes, coding = aus.read_cell(row, "Action Units", sheet.path, out)
        if out.faulty(row, sheet.path, sample):
            continue
        if subject not in clips:
            clips[subject] = images.below(subject, f"s{n:02d}", str(n))
        out.add(
            sample, f"{NAME}/{subject}", emotion=emotion, aus=coding.aus(), au_codes=codes, onset=onset, apex=apex,
            offset=offset, fps=FPS, frames=frames(clips[subject].path(name)), where=sheet.path, row=row.number,
        )
    return out.reading()


load = loader(read)
