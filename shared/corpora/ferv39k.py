"""FERV39k (2022): face crops by scene, with the training and the test list of all scenes."""

from __future__ import annotations

import os
import re

from .folders import Tree, find_corpus, frames, inside
from .table import Collector, Reading, loader

NAME = "FERV39k"
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def read(root: str | os.PathLike) -> Reading:
    """FERV39k under `root`; `split` is train or test. Nobody's identity is known: a clip is its own subject.

    Raises CorpusMissing."""
    root = find_corpus(root, (NAME,), ("2_ClipsforFaceCrop", "4_setups"))
    tree = Tree(inside(root, "2_ClipsforFaceCrop"))
    out = Collector(NAME, root, "all scenes")
    for split in ("train", "test"):
        path = inside(root, f"4_setups/All_scenes/{split}_All.csv")
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                words = re.fullmatch(r"([^/]+)/([^/]+)/(\S+)[ ,]+(\w+)", line.strip())
                if not words or words[4].lower() not in EMOTIONS:
                    if line.strip():
                        what = f"{line.strip()!r}, expected a line like 'Action/Happy/0267 Happy'"
                        out.problem(path, number, what, "restore the list from the release")
                    continue
                scene, folder, clip, emotion = words.groups()
                held = frames(tree.path(scene, folder, clip))
                first, last = (held.numbers[0], held.numbers[-1]) if len(held) else (None, None)
                sample = f"{NAME}/{scene}/{folder}/{clip}"
                out.add(
                    sample, sample, emotion=emotion.lower(), onset=first, offset=last, fps=float("nan"), frames=held,
                    split=split, where=path, row=number,
                )
    return out.reading()


load = loader(read)
