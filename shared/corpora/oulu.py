"""Oulu-CASIA (2011), visible light, strong illumination: from neutral to the apex."""

from __future__ import annotations

import os

from .folders import Tree, find_corpus, frames, inside
from .table import Collector, Reading, loader

NAME = "Oulu-CASIA"
FPS = 25.0
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CROPS = tuple(f"{name}/VL_Acropped/Strong" for name in ("PreProcess_Img", "PreProcessImg", "PreProcess"))


def read(root: str | os.PathLike) -> Reading:
    """Oulu-CASIA under `root`: onset first, apex = offset last. Raises CorpusMissing."""
    root = find_corpus(root, (NAME, "Oulu_CASIA_NIR_VIS", "Oulu"), ("PreProcess_?(Img)?", "OriginalImg"))
    tree = Tree(inside(root, *CROPS, "OriginalImg/VL/Strong"))
    out = Collector(NAME, root, "VL, strong light")
    for person in tree.listing().directories():
        for emotion in tree.listing(person).directories():
            held = frames(tree.path(person, emotion))
            if emotion.lower() not in EMOTIONS:
                out.problem(held.folder, None, f"no emotion of {NAME}", f"name it one of {', '.join(EMOTIONS)}")
                continue
            first, last = (held.numbers[0], held.numbers[-1]) if len(held) else (None, None)
            out.add(
                f"{NAME}/{person}/{emotion}", f"{NAME}/{person}", emotion=emotion.lower(), onset=first, apex=last,
                offset=last, fps=FPS, frames=held, where=held.folder,
            )
    return out.reading()


load = loader(read)
