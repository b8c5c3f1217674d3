"""AFEW: film clips by emotion, as videos or as folders of their frames."""

from __future__ import annotations

import os

from .folders import Tree, find_corpus, frames, inside
from .table import Collector, Reading, Video, loader

NAME = "AFEW"
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
VIDEOS = (".avi", ".mp4")


def read(root: str | os.PathLike) -> Reading:
    """AFEW under `root`; `split` is train or val. Nobody's identity is known: a clip is its own subject.

    Raises CorpusMissing."""
    root = find_corpus(root, (NAME,), ("Train_AFEW", "Val_AFEW"))
    out = Collector(NAME, root, "")
    for split in ("train", "val"):
        tree = Tree(inside(root, f"{split.title()}_AFEW", f"{split.title()}_AFEW/{split.title()}_AFEW"))
        for emotion in tree.listing().directories():
            if emotion.lower() not in EMOTIONS:
                folder = tree.path(emotion)
                out.problem(folder, None, f"no emotion of {NAME}", f"name it one of {', '.join(EMOTIONS)}")
                continue
            listing = tree.listing(emotion)
            clips = {os.path.splitext(name)[0]: Video(listing.path(name)) for name in listing.files(*VIDEOS)}
            clips |= {name: frames(listing.path(name)) for name in listing.directories()}
            for name, held in sorted(clips.items()):
                numbers = (0,) if isinstance(held, Video) else held.numbers
                sample = f"{NAME}/{split}/{emotion}/{name}"
                out.add(
                    sample, sample, emotion=emotion.lower(), onset=next(iter(numbers), None),
                    offset=None if isinstance(held, Video) or not numbers else numbers[-1], fps=float("nan"),
                    frames=held, split=split, where=listing.path(name),
                )
    return out.reading()


load = loader(read)
