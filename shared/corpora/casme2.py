"""CASME II (2014): both editions of its sheet, released crops or raw frames."""

import os
import re

from . import micro
from .annotations import annotated
from .folders import CorpusFolder, Root
from .samples import Reading
from .sheets import Sheet, SheetError

NAME = "CASME2"
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
        raise SheetError(
            f"{sheet.path}, row {sheet.header_row}: edition unknown: named after {DATES[dated[0]]}, but it has "
            f"{'a' if edition == '2019' else 'no'} column 'Objective Classes'; restore the sheet, or name the file "
            f"after the edition that it is"
        )
    return edition


def read(root: Root, *, edition: str | None = None) -> Reading:
    """CASME II under `root`; where both editions are found, the one asked for, else 2014.

    Raises CorpusMissing, and SheetError for a sheet with missing columns or of an unknown edition."""
    signs = (r"CASME.?(2|II).*\.(xlsx?|csv)", "Cropped-updated")
    corpus = CorpusFolder(root, NAME, signs=signs, data=micro.SUBJECTS, never=micro.NEVER)
    like, optional = r"casme.?(2|ii).*coding|^coding", ("Objective Classes",)
    out, sheet = annotated(corpus, COLUMNS, EDITIONS, _edition, edition, like=like, optional=optional)
    images = micro.clips_by_subject(corpus, *IMAGES)
    return micro.read_clips(sheet, out, images, emotions=EMOTIONS, subject="sub{:02d}", fps=200.0)
