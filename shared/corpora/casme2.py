"""CASME II (2014): both editions of its sheet, released crops or raw frames."""

from __future__ import annotations

import os
import re

from . import micro
from .folders import Tree, find_corpus, frames, inside
from .sheets import Sheet, find_sheets
from .table import Collector, Reading, SheetError, loader

NAME = "CASME2"
FPS = 200.0
EMOTIONS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "others")
EDITIONS = ("2014", "2019")
DATES = {"20140508": "2014", "20190701": "2019"}
COLUMNS = micro.COLUMNS | {"Objective Classes": ("Objective Class",)}
IMAGES = ("Cropped", "Cropped-updated/Cropped", "CASME2-RAW", "CASME2_RAW_selected", "CASME2_RAW")
WRONG_APEX = {
    "CASME2/sub04/EP12_01f": ("/", "the release prints no apex; taken as the midpoint of onset and offset"),
}


def _edition(sheet: Sheet) -> str:
    """2014, or 2019 which adds the objective classes. Raises SheetError where name and columns disagree."""
    edition = "2019" if "Objective Classes" in sheet.columns else "2014"
    dated = re.search(r"20\d{6}", os.path.basename(sheet.path))
    if dated and dated[0] not in DATES:
        raise SheetError(
            f"{sheet.path}: edition {dated[0]} is unknown (known: {', '.join(DATES)}); "
            f"use one of these, or name the file after the one that it is"
        )
    if dated and DATES[dated[0]] != edition:
        has = "has a" if edition == "2019" else "lacks the"
        raise SheetError(
            f"{sheet.path}, row {sheet.header_row}: edition unknown: named after {DATES[dated[0]]}, but it "
            f"{has} column 'Objective Classes'; restore the sheet, or name the file after the edition that it is"
        )
    return edition


def read(root: str | os.PathLike, *, edition: str | None = None) -> Reading:
    """CASME II under `root`; where both editions lie there, the one asked for, else 2014.

    Raises CorpusMissing, and SheetError for a sheet that lacks columns or whose edition is unknown."""
    root = find_corpus(root, (NAME, "CASME II", "CASME-2"), (r"CASME2.*\.(xlsx?|csv)", "Cropped-updated"))
    found = find_sheets(root, COLUMNS, like="casme.*coding", optional=("Objective Classes",))
    sheets = {_edition(sheet): sheet for sheet in found}
    edition = edition or min(sheets)
    if edition not in sheets:
        raise SheetError(f"{root}: no sheet of the {edition} edition (found: {', '.join(sorted(sheets))})")
    sheet = sheets[edition]
    out = Collector(NAME, root, edition, sorted(sheets))
    if len(sheets) > 1:
        out.notes.append(f"both editions found; read {os.path.basename(sheet.path)}")
    tree = Tree(inside(root, *IMAGES))
    if "raw" in os.path.basename(tree.folder).lower():
        out.notes.append(f"no released crops: raw frames of {tree.folder}")
    micro.collect(
        sheet, out, emotions=EMOTIONS, subject="sub{:02d}", fps=FPS, wrong_apex=WRONG_APEX,
        images=lambda clip: frames(tree.path((clip.subject, clip.subject[3:]), clip.name)),
    )
    return out.reading()


load = loader(read)
