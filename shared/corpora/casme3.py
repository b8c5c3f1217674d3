"""CAS(ME)³ part A (2022): extracted frames of whole recordings, or of one clip a folder."""

from __future__ import annotations

import os

from . import micro
from .folders import Tree, find_corpus, frames, inside
from .sheets import find_sheets
from .table import Collector, Frames, Reading, loader

NAME = "CASME3"
FPS = 30.0
EMOTIONS = ("anger", "disgust", "fear", "happy", "others", "sad", "surprise")


def read(root: str | os.PathLike) -> Reading:
    """Part A of CAS(ME)³ under `root`; a sample is subject, recording and onset. Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME, "CAS(ME)3", "CASME III"), (r"cas\(?me\)?3.*\.(xlsx?|csv)", "part_A.*"))
    sheet = find_sheets(root, micro.COLUMNS, like="part_?a.*(me|label)", title="label")[0]
    out = Collector(NAME, root, "part A")
    tree = Tree(inside(root, "part_A_split/part_A", "part_A_split", "part_A"))
    recordings: dict[str, Frames] = {}

    def images(clip: micro.Clip) -> Frames:
        own = tree.listing().find(f"{clip.subject}_{clip.name}_{clip.onset}")
        folder = own or tree.listing(clip.subject, clip.name).find("color") or tree.path(clip.subject, clip.name)
        if folder not in recordings:
            recordings[folder] = frames(folder)
        return recordings[folder]

    micro.collect(
        sheet, out, emotions=EMOTIONS, subject="spNO.{}", fps=FPS, images=images,
        sample="{subject}/{name}/{onset}", correct=lambda clip, held: _correct(clip, held, out),
    )
    return out.reading()


def _correct(clip: micro.Clip, held: Frames, out: Collector) -> None:
    """The defects that the released sheet has many times, put right by rule."""

    def change(column: str, value: int, why: str) -> None:
        out.correct(clip.sample, column, f"{getattr(clip, column)} → {value}", why)
        setattr(clip, column, value)

    if clip.onset == 0 and 0 not in held and 1 in held:
        change("onset", 1, "the release counts a frame 0 that it does not hold")
    if clip.offset < clip.onset < clip.apex:
        change("offset", clip.apex, "the offset lies before the onset; the clip is taken to end at its apex")
    elif 0 < clip.offset < clip.apex <= clip.onset:
        onset = clip.onset
        change("onset", clip.offset, "onset and offset stand in each other's place")
        change("offset", onset, "onset and offset stand in each other's place")
    if clip.apex <= clip.onset < clip.offset:
        change("apex", (clip.onset + clip.offset) // 2, "the apex does not follow the onset; taken as the midpoint")


load = loader(read)
