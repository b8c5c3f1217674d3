"""AFEW: film clips, as videos or as folders of their frames; by emotion, those of the test set without one."""

import os
import re
from pathlib import Path

from .folders import IMAGES, CorpusFolder, Listing, Root, list_frames
from .samples import Collector, Frames, Reading, Video

NAME = "AFEW"
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
VIDEOS = (".avi", ".mp4")
ALIGNED = r"Aligned_?Faces.*"  # faces and features that the archive has beside the emotions


def read(root: Root) -> Reading:
    """AFEW under `root`; `split` is train, val or test. Nobody's identity is known: a clip is its own subject.

    The test set is released without emotions, and may be missing. Raises CorpusMissing."""
    corpus = CorpusFolder(root, NAME, signs=("Train_AFEW", "Val_AFEW"), data="|".join(EMOTIONS), never=ALIGNED)
    out = Collector(corpus)
    for split in ("train", "val"):
        places = f"{split.title()}_AFEW", split.title()
        tree = corpus.get(*places, what="clips", files=(*VIDEOS, *IMAGES), anywhere=False)
        for word in [name for name in tree.listing().directories() if not re.fullmatch(ALIGNED, name, re.I)]:
            if emotion := out.emotion(word, EMOTIONS, tree.path(word)):
                listing = tree.listing(word)
                clips: dict[str, Frames | Video] = {
                    os.path.splitext(name)[0]: Video(listing.path(name)) for name in listing.files(*VIDEOS)
                }
                clips |= {name: list_frames(listing.path(name)) for name in listing.directories()}
                for name, frames in sorted(clips.items()):
                    out.add(f"{NAME}/{split}/{word}/{name}", emotion=emotion, frames=frames, split=split)
    below = [listing.folder for listing in corpus.below()]
    tests = [folder for folder in below if re.fullmatch("test(_afew)?", os.path.basename(folder), re.I)]
    if tests:  # unzipped twice, the inner one
        for name, frames in sorted(_below(max(tests, key=len)).items()):
            out.add(f"{NAME}/test/{name}", frames=frames, split="test")
    return out.reading()


def _below(folder: str) -> dict[str, Frames | Video]:
    """The clips at any depth, by their path without ending: videos, and folders that contain images.

    A clip that is there as both is taken as its frames."""
    clips: dict[str, Frames | Video] = {}
    for path, _, _ in os.walk(folder):
        listing, below = Listing(path), Path(path).relative_to(folder)
        if path != folder and listing.files(*IMAGES):
            clips[below.as_posix()] = list_frames(path)
        for name in listing.files(*VIDEOS):
            clips[(below / name).with_suffix("").as_posix()] = Video(listing.path(name))
    framed = {os.path.basename(name) for name, frames in clips.items() if isinstance(frames, Frames)}
    return {n: frames for n, frames in clips.items() if isinstance(frames, Frames) or os.path.basename(n) not in framed}
