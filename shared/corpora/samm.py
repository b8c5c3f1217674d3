"""SAMM (2016, 2018): both forms of its sheet, with note rows above the header or without."""

from __future__ import annotations

import os

from . import micro
from .folders import Corpus, Tree, frames
from .samples import Reading, loader
from .sheets import annotated, find_sheets

NAME = "SAMM"
NAMES = (NAME,)
FPS = 200.0
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "other")
EDITIONS = ("header in row 1", "notes above the header")
IMAGES = (".",)


def read(root: str | os.PathLike, *, edition: str | None = None) -> Reading:
    """SAMM under `root`; where both forms of its sheet lie there, the one asked for, else the one without notes.

    Raises CorpusMissing, SheetError."""
    corpus = Corpus(root, NAMES, signs=(r"SAMM.*\.(xlsx?|csv)",), data=r"\d{1,3}(_\d+_\d+)?", never=micro.NEVER)
    sheets = find_sheets(corpus, micro.COLUMNS, like=r"samm.*(micro|code)|samm_20\d{6}")
    out, sheet = annotated(corpus, sheets, EDITIONS, lambda sheet: EDITIONS[sheet.header_row > 1], edition)
    tree = Tree(corpus.get(*IMAGES))
    micro.collect(
        sheet,
        out,
        emotions=EMOTIONS,
        subject="{:03d}",
        fps=FPS,
        prefixed=True,
        images=lambda clip: frames(tree.clip(clip.subject, clip.name, alone=clip.name)),
    )
    return out.reading()


load = loader(read)
