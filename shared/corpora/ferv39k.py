"""FERV39k (2022): face crops by scene, with the training and the test list of all scenes."""

import re

from ..files import opened
from .folders import CorpusFolder, Root, list_frames
from .samples import Collector, Reading

NAME = "FERV39k"
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def read(root: Root) -> Reading:
    """FERV39k under `root`; `split` is train or test. Nobody's identity is known: a clip is its own subject.

    Raises CorpusMissing."""
    signs, data = ("2_ClipsforFaceCrop", "4_setups"), rf"{'|'.join(EMOTIONS)}|\d+"
    corpus = CorpusFolder(root, NAME, signs=signs, data=data, never="[13]_.*")
    out = Collector(corpus, "all scenes")
    places = "4_setups/All_scenes", "All_scenes"
    lists = corpus.get(*places, what="lists", holds="train_All", files=(".csv",), flat=True, anywhere=False)
    paths = {split: lists.path(f"{split}_All.csv") for split in ("train", "test")}
    lines = {split: _lines(path) for split, path in paths.items()}
    scenes = {re.escape(line.partition("/")[0]) for part in lines.values() for line in part if "/" in line}
    tree = corpus.get("2_ClipsforFaceCrop", holds="|".join(scenes))
    for split, path in paths.items():
        for number, line in enumerate(lines[split], 1):
            words = re.fullmatch(r"([^/]+)/([^/]+)/(\S+)[ ,]+(\w+)", line)
            if not words or words[4].lower() not in EMOTIONS:
                if line:
                    what = f"{line!r}, expected a line like 'Action/Happy/0267 Happy'"
                    out.problem(path, number, what, "restore the list from the release")
                continue
            scene, folder, clip, emotion = words.groups()
            frames = list_frames(tree.path(scene, folder, clip))
            sample = f"{NAME}/{scene}/{folder}/{clip}"
            out.add(sample, emotion=emotion.lower(), frames=frames, split=split, where=path, row=number)
    return out.reading()


def _lines(path: str) -> list[str]:
    with opened(path) as file:
        return [line.strip() for line in file.read().decode("utf-8-sig", "replace").split("\n")]
