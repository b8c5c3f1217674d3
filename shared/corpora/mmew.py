"""MMEW (2021): micro-expressions with their sheet, macro-expressions by folder."""

from __future__ import annotations

import os

from . import micro
from .folders import IMAGES, Corpus, Listing, Tree, frames, numbered
from .samples import Collector, Frames, Reading, loader
from .sheets import annotated, find_sheets

NAME = "MMEW"
NAMES = (NAME, "MMEW_Final")
FPS = 90.0
CLIP = r"S\d+-\d+-\d+"
EMOTIONS = ("happiness", "disgust", "surprise", "fear", "sadness", "anger", "others")


def _corpus(root: str | os.PathLike) -> Corpus:
    return Corpus(
        root,
        NAMES,
        signs=(r"MMEW.*\.(xlsx?|csv)", r"Micro_Expression", r"Macro_Expression"),
        data=f"{'|'.join(EMOTIONS)}|S\\d+|{CLIP}",
        never=micro.NEVER,
    )


def read(root: str | os.PathLike) -> Reading:
    """The micro-expressions of MMEW under `root`. Raises CorpusMissing, SheetError."""
    corpus = _corpus(root)
    sheets = find_sheets(corpus, micro.COLUMNS, like=r"mmew.*micro", positions=True)
    out, sheet = annotated(corpus, sheets, ("2021",), lambda sheet: "2021")
    tree = Tree(corpus.get("Micro_Expression", holds=f"{'|'.join(EMOTIONS)}|{CLIP}", anywhere=False))
    micro.collect(
        sheet,
        out,
        emotions=EMOTIONS,
        subject="S{:02d}",
        fps=FPS,
        prefixed=True,
        images=lambda clip: frames(tree.clip(clip.emotion, clip.name, alone=clip.name)),
    )
    return out.reading()


def read_macro(root: str | os.PathLike) -> Reading:
    """The macro-expressions: `S01-07-001` is subject, sequence, frame; no apex is given.

    Raises CorpusMissing."""
    corpus = _corpus(root)
    tree = Tree(corpus.get("Macro_Expression", holds=r"S\d+", anywhere=False))
    out = Collector(NAME, corpus.root, "2021, macro-expressions", notes=corpus.notes)
    for person in tree.listing().directories():
        for emotion in tree.listing(person).directories():
            folder = tree.path(person, emotion)
            if emotion.lower() not in EMOTIONS:
                out.problem(folder, None, f"no emotion of {NAME}", f"name it one of {', '.join(EMOTIONS)}")
                continue
            for name, images in _sequences(folder).items():
                out.add(
                    f"{NAME}/macro/{person}/{emotion}/{name}",
                    f"{NAME}/{person}",
                    emotion=emotion.lower(),
                    fps=FPS,
                    onset=images.numbers[0],
                    offset=images.numbers[-1],
                    frames=images,
                    where=folder,
                )
    return out.reading()


def _sequences(folder: str) -> dict[str, Frames]:
    """The sequences of an emotion's folder: its images by subject and sequence (each counts from 1), and subfolders."""
    listing, named = Listing(folder), {}
    for name in listing.files(*IMAGES):
        named.setdefault(name.rpartition("-")[0] or "images", []).append(name)
    sequences = {name: numbered(folder, names) for name, names in named.items()}
    sequences |= {name: frames(listing.path(name)) for name in listing.directories()}
    return {name: images for name, images in sequences.items() if len(images)}


load = loader(read)
load_macro = loader(read_macro)
