"""CASME (2013): released crops or raw frames."""

from __future__ import annotations

import os

from . import micro
from .folders import Tree, find_corpus, frames, inside
from .sheets import find_sheets
from .table import Collector, Reading, loader

NAME = "CASME"
FPS = 60.0
EMOTIONS = (
    "amusement", "happiness", "sadness", "disgust", "surprise", "contempt", "fear", "repression", "tense", "others",
)


def read(root: str | os.PathLike) -> Reading:
    """CASME under `root`; of its two apexes the first. Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME, "CASME I"), (r"casme\.(xlsx?|csv)", "CASME_raw_selected"))
    sheet = find_sheets(root, micro.COLUMNS, like="casme")[0]
    out = Collector(NAME, root, "2013")
    tree = Tree(inside(root, "Cropped", "CASME_raw_selected", "CASME_raw"))
    if "raw" in os.path.basename(tree.folder).lower():
        out.notes.append(f"no released crops: raw frames of {tree.folder}")
    micro.collect(
        sheet, out, emotions=EMOTIONS, subject="sub{:02d}", fps=FPS,
        images=lambda clip: frames(tree.path((clip.subject, clip.subject[3:]), clip.name)),
    )
    return out.reading()


load = loader(read)
