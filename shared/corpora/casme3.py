"""CAS(ME)³ part A (2022): extracted frames of whole recordings, or of one clip a folder."""

from __future__ import annotations

import os
import re

from . import micro
from .folders import Corpus, Tree, frames
from .samples import Frames, Reading, loader
from .sheets import Sheet, annotated, find_sheets

NAME = "CASME3"
NAMES = (NAME, "CAS(ME)3", "CASME III")
FPS = 30.0
EMOTIONS = ("anger", "disgust", "fear", "happy", "others", "sad", "surprise")
EDITIONS = ("v2", "v1")  # of the label list; the second replaces the first, which names wrong micro-expressions
IMAGES = ("part_A_split/part_A", "part_A_split", "part_A", "part_A/part_A")
NEAREST = 3  # frames, 0.1 s: how far one may be that stands for a frame that the release lacks


def _edition(sheet: Sheet) -> str:
    version = re.search(r"_v(\d)", os.path.basename(sheet.path), re.IGNORECASE)
    return f"v{version[1]}" if version else "unnamed"


def read(root: str | os.PathLike, *, edition: str | None = None) -> Reading:
    """Part A of CAS(ME)³ under `root`; a sample is subject, recording and printed onset.

    Where both editions of the label list lie there, the one asked for, else the second. Raises CorpusMissing,
    SheetError."""
    corpus = Corpus(
        root,
        NAMES,
        signs=(r"cas\(?me\)?3.*\.(xlsx?|csv)", "part_A.*"),
        data=r"spno\.?\d+(_.*)?",
        never=r".*part_?[bc].*|depth|.*(video|flow|feature).*",
    )
    sheets = find_sheets(corpus, micro.COLUMNS, like="part_?a.?me", title="label")
    out, sheet = annotated(corpus, sheets, EDITIONS, _edition, edition)
    tree = Tree(corpus.get(*IMAGES))
    recordings: dict[str, Frames] = {}

    def images(clip: micro.Clip) -> Frames:
        own = tree.listing().find(*(f"{clip.subject}_{clip.name}_{onset}" for onset in (clip.printed, clip.onset)))
        folder = own or tree.listing(clip.subject, clip.name).find("color") or tree.path(clip.subject, clip.name)
        if folder not in recordings:
            recordings[folder] = frames(folder)
        return recordings[folder]

    micro.collect(
        sheet,
        out,
        emotions=EMOTIONS,
        subject="spNO.{}",
        fps=FPS,
        images=images,
        sample="{subject}/{name}/{onset}",
        nearest=NEAREST,
    )
    if still := sum(row[6] == row[7] for row in out.rows):
        out.notes.append(f"{still} clips with their apex at the onset: the first frame recorded is already the maximum")
    return out.reading()


load = loader(read)
