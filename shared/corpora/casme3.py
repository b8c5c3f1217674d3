"""CAS(ME)³ part A (2022): extracted frames of whole recordings, or of one clip a folder."""

import os
import re
from functools import cache

from . import micro
from .annotations import annotated
from .folders import CorpusFolder, Root, list_frames
from .samples import Frames, Reading
from .sheets import Sheet

NAME = "CASME3"
EMOTIONS = ("anger", "disgust", "fear", "happy", "others", "sad", "surprise")
EDITIONS = ("v2", "v1")  # of the label list; the second replaces the first, which names wrong micro-expressions
IMAGES = ("part_A_split/part_A", "part_A_split", "part_A", "part_A/part_A")
NEAREST = 3  # frames, 0.1 s: how far away one may be that replaces a frame missing from the release


def _edition(sheet: Sheet) -> str:
    version = re.search(r"_v(\d)", os.path.basename(sheet.path), re.IGNORECASE)
    return f"v{version[1]}" if version else "unnamed"


def read(root: Root, *, edition: str | None = None) -> Reading:
    """Part A of CAS(ME)³ under `root`; a sample is subject, recording and printed onset.

    Where both editions of the label list are found, the one asked for, else v2. Raises CorpusMissing, SheetError."""
    signs, never = (r"cas\(?me\)?3.*\.(xlsx?|csv)", "part_A.*"), r".*part_?[bc].*|depth|.*(video|flow|feature).*"
    corpus = CorpusFolder(root, NAME, signs=signs, data=r"spno\.?\d+(_.*)?", never=never)
    out, sheet = annotated(corpus, micro.COLUMNS, EDITIONS, _edition, edition, like="part_?a.?me", title="label")
    tree = corpus.get(*IMAGES)
    frames_of = cache(list_frames)  # a recording holds several clips

    def images(clip: micro.Clip) -> Frames:
        own = tree.listing().find(*(f"{clip.subject}_{clip.name}_{onset}" for onset in (clip.printed, clip.onset)))
        folder = own or tree.listing(clip.subject, clip.name).find("color") or tree.path(clip.subject, clip.name)
        return frames_of(folder)

    subject, sample = "spNO.{}", "{subject}/{name}/{onset}"
    reading = micro.read_clips(
        sheet, out, images, emotions=EMOTIONS, subject=subject, sample=sample, fps=30.0, nearest=NEAREST
    )
    if still := (reading.samples["apex"] == reading.samples["onset"]).sum():
        out.notes.append(f"{still} clips with their apex at the onset: the first frame recorded is already the maximum")
    return reading
