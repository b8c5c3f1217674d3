"""CASME (2013): released crops or raw frames."""

from __future__ import annotations

import os

from . import micro
from .folders import Corpus, Tree, frames
from .samples import Reading, loader
from .sheets import annotated, find_sheets

NAME = "CASME"
NAMES = (NAME, "CASME I", "CASME1")
FPS = 60.0
EMOTIONS = (
    "amusement",
    "happiness",
    "sadness",
    "disgust",
    "surprise",
    "contempt",
    "fear",
    "repression",
    "tense",
    "others",
)
IMAGES = ("Cropped", "CASME_raw_selected", "CASME_raw")


def read(root: str | os.PathLike) -> Reading:
    """CASME under `root`; of its two apexes the first. Raises CorpusMissing, SheetError."""
    corpus = Corpus(
        root, NAMES, signs=(r"casme\.(xlsx?|csv)", "CASME_raw_selected"), data=micro.SUBJECTS, never=micro.NEVER
    )
    sheets = find_sheets(corpus, micro.COLUMNS, like=r"casme(?!.?2|.?ii)")
    out, sheet = annotated(corpus, sheets, ("2013",), lambda sheet: "2013")
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
