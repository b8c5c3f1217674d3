"""CASME II (2014): both editions of its sheet, released crops or raw frames."""

from __future__ import annotations

import os
import re

from . import micro
from .folders import Corpus, Tree, frames
from .samples import Reading, loader
from .sheets import Sheet, SheetError, annotated, find_sheets

NAME = "CASME2"
NAMES = (NAME, "CASME II", "CASME-2")
FPS = 200.0
EMOTIONS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "others")
EDITIONS = ("2014", "2019")
DATES = {"20140508": "2014", "20190701": "2019"}
COLUMNS = micro.COLUMNS | {"Objective Classes": ("Objective Class",)}
IMAGES = ("Cropped", "Cropped-updated/Cropped", "CASME2-RAW", "CASME2_RAW_selected", "CASME2_RAW")


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
    corpus = Corpus(
        root, NAMES, signs=(r"CASME.?(2|II).*\.(xlsx?|csv)", "Cropped-updated"), data=micro.SUBJECTS, never=micro.NEVER
    )
    sheets = find_sheets(corpus, COLUMNS, like=r"casme.?(2|ii).*coding|^coding", optional=("Objective Classes",))
    out, sheet = annotated(corpus, sheets, EDITIONS, _edition, edition)
    tree = Tree(micro.released(corpus, *IMAGES))
    micro.collect(
        sheet,
        out,
        emotions=EMOTIONS,
        subject="sub{:02d}",
        fps=FPS,
        images=lambda clip: frames(
            tree.clip(micro.spelled(clip.subject), clip.name, alone=f"{clip.subject}_{clip.name}")
        ),
    )
    return out.reading()


load = loader(read)
