"""FERV39k (2022): face crops by scene, with the training and the test list of all scenes."""

from __future__ import annotations

import os
import re

from .folders import Corpus, Tree, frames
from .samples import Collector, Reading, loader

NAME = "FERV39k"
NAMES = (NAME,)
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def read(root: str | os.PathLike) -> Reading:
    """FERV39k under `root`; `split` is train or test. Nobody's identity is known: a clip is its own subject.

    Raises CorpusMissing."""
    corpus = Corpus(
        root, NAMES, signs=("2_ClipsforFaceCrop", "4_setups"), data=f"{'|'.join(EMOTIONS)}|\\d+", never="[13]_.*"
    )
    out = Collector(NAME, corpus.root, "all scenes", notes=corpus.notes)
    how = {"files": (".csv",), "flat": True, "anywhere": False}
    lists = corpus.get("4_setups/All_scenes", "All_scenes", what="lists", holds="train_All", **how)
    paths = {split: corpus.listing(lists).path(f"{split}_All.csv") for split in ("train", "test")}
    lines = {split: _lines(path) for split, path in paths.items()}
    scenes = {re.escape(line.partition("/")[0]) for part in lines.values() for line in part if "/" in line}
    tree = Tree(corpus.get("2_ClipsforFaceCrop", holds="|".join(scenes)))
    for split, path in paths.items():
        for number, line in enumerate(lines[split], 1):
            words = re.fullmatch(r"([^/]+)/([^/]+)/(\S+)[ ,]+(\w+)", line)
            if not words or words[4].lower() not in EMOTIONS:
                if line:
                    what = f"{line!r}, expected a line like 'Action/Happy/0267 Happy'"
                    out.problem(path, number, what, "restore the list from the release")
                continue
            scene, folder, clip, emotion = words.groups()
            held = frames(tree.path(scene, folder, clip))
            first, last = (held.numbers[0], held.numbers[-1]) if len(held) else (None, None)
            sample = f"{NAME}/{scene}/{folder}/{clip}"
            out.add(
                sample,
                sample,
                emotion=emotion.lower(),
                onset=first,
                offset=last,
                fps=float("nan"),
                frames=held,
                split=split,
                where=path,
                row=number,
            )
    return out.reading()


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8-sig") as file:
        return [line.strip() for line in file]


load = loader(read)
