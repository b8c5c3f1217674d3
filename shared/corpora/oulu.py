"""Oulu-CASIA (2011), visible light, strong illumination: from neutral to the apex."""

from __future__ import annotations

import os

from .folders import Corpus, Tree, frames
from .samples import Collector, Reading, loader

NAME = "Oulu-CASIA"
NAMES = (NAME, "Oulu_CASIA_NIR_VIS", "Oulu")
FPS = 25.0
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
ORIGINALS = ("OriginalImg/VL/Strong", "VL_Acropped/Strong", "VL/Strong")
CROPS = tuple(f"{name}/VL_Acropped/Strong" for name in ("PreProcess_Img", "PreProcessImg", "PreProcess"))


def read(root: str | os.PathLike) -> Reading:
    """Oulu-CASIA under `root`: onset first, apex = offset last. Raises CorpusMissing."""
    corpus = Corpus(
        root,
        NAMES,
        signs=("PreProcess_?(Img)?", "(B_)?OriginalImg"),
        data=r"P\d{3}",
        never="NI|NI_.*|Weak|Dark|.*video.*",
    )
    tree = Tree(corpus.get(*CROPS, *ORIGINALS))
    out = Collector(NAME, corpus.root, "VL, strong light", notes=corpus.notes)
    for person in tree.listing().directories():
        for emotion in tree.listing(person).directories():
            held = frames(tree.path(person, emotion))
            if emotion.lower() not in EMOTIONS:
                out.problem(held.folder, None, f"no emotion of {NAME}", f"name it one of {', '.join(EMOTIONS)}")
                continue
            first, last = (held.numbers[0], held.numbers[-1]) if len(held) else (None, None)
            out.add(
                f"{NAME}/{person}/{emotion}",
                f"{NAME}/{person}",
                emotion=emotion.lower(),
                onset=first,
                apex=last,
                offset=last,
                fps=FPS,
                frames=held,
                where=held.folder,
            )
    return out.reading()


load = loader(read)
