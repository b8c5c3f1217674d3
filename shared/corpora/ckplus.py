"""CK+ (2010): posed sequences from neutral to the peak; emotion and FACS files beside the images."""

import os
import re

from ..files import NotRegular, opened
from .folders import CorpusFolder, Root, Tree, list_frames
from .samples import Collector, Reading

NAME = "CK+"
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
LABELS, FACS = ("Emotion", "Emotion_labels", "Emotion_labels/Emotion"), ("FACS", "FACS_labels", "FACS_labels/FACS")


def read(root: Root) -> Reading:
    """All sequences of CK+ under `root`, those without an emotion file too: onset first, apex = offset last.

    Raises CorpusMissing."""
    signs = ("cohn-kanade-images", "extended-cohn-kanade-images")
    corpus = CorpusFolder(root, NAME, signs=signs, data=r"S\d{3}")
    images = corpus.get(*IMAGES)
    emotions = corpus.get(*LABELS, what="emotion files", files=("_emotion.txt",))
    facs = corpus.find(*FACS, what="FACS files", files=("_facs.txt",))
    out = Collector(corpus, "2010")
    if not facs:
        expected = os.path.join(corpus.root, FACS[0])
        out.notes.append(f"no action units: found no *_facs.txt at {corpus.root}, expected {expected}")
    for person in images.listing().directories():
        subject = f"{NAME}/{person}"
        for sequence in images.listing(person).directories():
            sample = f"{subject}/{sequence}"
            labels = _only(emotions, person, sequence, "_emotion.txt")
            coded = _only(facs, person, sequence, "_facs.txt")
            emotion = _emotion(labels, out, sample) if labels else None
            codes, units = _units(coded, out, sample) if coded else ("", ())
            frames = list_frames(images.path(person, sequence))
            if not len(frames) and not labels:
                continue
            peak = _peak(labels) or frames.last
            out.add(
                sample,
                subject,
                emotion=emotion,
                aus=units,
                au_codes=codes,
                apex=peak,
                offset=peak,
                fps=30.0,
                frames=frames,
                where=labels,
            )
    return out.reading()


def _only(tree: Tree | None, person: str, sequence: str, ending: str) -> str:
    """The path of a sequence's file with this ending, "" where there is none."""
    listing = tree.listing(person, sequence) if tree else None
    return next((listing.path(name) for name in listing.files(ending)), "") if listing else ""


def _peak(labels: str) -> int | None:
    """The frame that a label file is named after: the last, peak one."""
    number = re.search(r"_(\d+)_emotion\.txt$", labels, re.IGNORECASE)
    return int(number[1]) if number else None


def _numbers(path: str) -> list[int] | None:
    try:
        with opened(path) as file:
            return [int(float(word)) for word in file.read(2**16).decode("latin-1").split()]
    except (ValueError, OverflowError, NotRegular):
        return None


def _emotion(path: str, out: Collector, sample: str) -> str | None:
    numbers = _numbers(path)
    if not numbers or len(numbers) > 1 or numbers[0] not in range(len(EMOTIONS)):
        out.problem(path, 1, "no emotion from 0 to 7 in the file", "restore it from the release", sample)
        return None
    return EMOTIONS[numbers[0]]


def _units(path: str, out: Collector, sample: str) -> tuple[str, tuple[int, ...]]:
    """Lines `AU intensity` → `AU=intensity …` and the units."""
    numbers = _numbers(path)
    if numbers is None or len(numbers) % 2:
        out.problem(path, None, "lines are not pairs of unit and intensity", "restore it from the release", sample)
        return "", ()
    pairs = sorted(zip(numbers[::2], numbers[1::2], strict=True))
    return " ".join(f"{unit}={level}" for unit, level in pairs), tuple(sorted({unit for unit, _ in pairs}))
