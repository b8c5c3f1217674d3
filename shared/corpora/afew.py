"""AFEW: film clips, as videos or as folders of their frames; by emotion, those of the test set without one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .folders import IMAGES, Corpus, Listing, Tree, frames
from .samples import Collector, Frames, Reading, Video, loader

NAME = "AFEW"
NAMES = (NAME,)
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
VIDEOS = (".avi", ".mp4")


def read(root: str | os.PathLike) -> Reading:
    """AFEW under `root`; `split` is train, val or test. Nobody's identity is known: a clip is its own subject.

    The test set is released without emotions, and may be missing. Raises CorpusMissing."""
    corpus = Corpus(root, NAMES, signs=("Train_AFEW", "Val_AFEW"), data="|".join(EMOTIONS))
    out = Collector(NAME, corpus.root, notes=corpus.notes)
    for split in ("train", "val"):
        places = f"{split.title()}_AFEW", split.title()
        tree = Tree(corpus.get(*places, what="clips", files=(*VIDEOS, *IMAGES), anywhere=False))
        for emotion in tree.listing().directories():
            if emotion.lower() not in EMOTIONS:
                folder = tree.path(emotion)
                out.problem(folder, None, f"no emotion of {NAME}", f"name it one of {', '.join(EMOTIONS)}")
                continue
            listing = tree.listing(emotion)
            clips = {os.path.splitext(name)[0]: Video(listing.path(name)) for name in listing.files(*VIDEOS)}
            clips |= {name: frames(listing.path(name)) for name in listing.directories()}
            for name, held in sorted(clips.items()):
                _add(out, f"{NAME}/{split}/{emotion}/{name}", emotion.lower(), split, held)
    below = [listing.folder for listing in corpus.below()]
    tests = [folder for folder in below if re.fullmatch("test(_afew)?", os.path.basename(folder), re.I)]
    if tests:  # unzipped twice, the inner one
        for name, held in sorted(_below(max(tests, key=len)).items()):
            _add(out, f"{NAME}/test/{name}", None, "test", held)
    return out.reading()


def _add(out: Collector, sample: str, emotion: str | None, split: str, held: Frames | Video) -> None:
    where, numbers = (held.path, (0,)) if isinstance(held, Video) else (held.folder, held.numbers)
    out.add(
        sample,
        sample,
        emotion=emotion,
        onset=next(iter(numbers), None),
        offset=None if isinstance(held, Video) or not numbers else numbers[-1],
        fps=float("nan"),
        frames=held,
        split=split,
        where=where,
    )


def _below(folder: str) -> dict[str, Frames | Video]:
    """The clips at any depth, by their path without ending: videos, and folders that hold images.

    A clip that is there as both is taken as its frames."""
    clips: dict[str, Frames | Video] = {}
    for path, _, _ in os.walk(folder):
        listing, below = Listing(path), Path(path).relative_to(folder)
        if path != folder and listing.files(*IMAGES):
            clips[below.as_posix()] = frames(path)
        for name in listing.files(*VIDEOS):
            clips[(below / name).with_suffix("").as_posix()] = Video(listing.path(name))
    framed = {os.path.basename(name) for name, held in clips.items() if isinstance(held, Frames)}
    return {n: held for n, held in clips.items() if isinstance(held, Frames) or os.path.basename(n) not in framed}


load = loader(read)
