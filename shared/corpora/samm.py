"""SAMM (2016, 2018): both forms of its sheet, with note rows above the header or without."""

from __future__ import annotations

import os

from . import micro
from .folders import Tree, descend, find_corpus, frames
from .sheets import find_sheets
from .table import Collector, CorpusMissing, Reading, loader

NAME = "SAMM"
FPS = 200.0
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "other")
WRONG_APEX = {
    "SAMM/028/028_4_1": ("1143", "the release prints an apex after the offset; taken as the midpoint"),
    "SAMM/032/032_3_1": ("1930", "the release prints an apex before the onset; taken as the midpoint"),
}


def read(root: str | os.PathLike) -> Reading:
    """SAMM under `root`. Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME,), (r"SAMM.*\.(xlsx?|csv)",))
    sheet = find_sheets(root, micro.COLUMNS, like=r"samm.*(micro|code)|samm_20\d{6}")[0]
    edition = "header in row 1" if sheet.header_row == 1 else f"notes above the header in row {sheet.header_row}"
    out = Collector(NAME, root, edition)
    tree = Tree(descend(root, NAME) or root)
    if not any(name.isdigit() for name in tree.listing().directories()):
        raise CorpusMissing(f"{tree.folder} holds no subject's folder (006, …); copy them from the release")
    micro.collect(
        sheet, out, emotions=EMOTIONS, subject="{:03d}", fps=FPS, prefixed=True, wrong_apex=WRONG_APEX,
        images=lambda clip: frames(tree.path(clip.subject, clip.name)),
    )
    return out.reading()


load = loader(read)
