"""CK+ (2010): posed sequences from neutral to the peak; emotion and FACS files beside the images."""

from __future__ import annotations

import os
import re

from .folders import Corpus, Listing, Tree, frames
from .samples import Collector, Reading, loader

NAME = "CK+"
NAMES = (NAME, "CKplus", "CK", "Cohn-Kanade")
FPS = 30.0
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


def read(root: str | os.PathLike) -> Reading:
    """All sequences of CK+ under `root`, those without an emotion file too: onset first, apex = offset last.

    Raises CorpusMissing."""
    corpus = Corpus(root, NAMES, signs=("cohn-kanade-images", "extended-cohn-kanade-images"), data=r"S\d{3}")
    images = Tree(corpus.get("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images"))
    places = "Emotion", "Emotion_labels", "Emotion_labels/Emotion"
    emotions = Tree(corpus.get(*places, what="emotion files", files=("_emotion.txt",)))
    coded = corpus.find("FACS", "FACS_labels", "FACS_labels/FACS", what="FACS files", files=("_facs.txt",))
    facs = Tree(coded or os.path.join(corpus.root, "FACS"))
    out = Collector(NAME, corpus.root, "2010", notes=corpus.notes)
    if not coded:
        out.notes.append(f"no action units: found no *_facs.txt at {corpus.root}, expected {facs.folder}")
    for person in images.listing().directories():
        for sequence in images.listing(person).directories():
            sample = f"{NAME}/{person}/{sequence}"
            labels = _only(emotions.listing(person, sequence), "_emotion.txt")
            coded = _only(facs.listing(person, sequence), "_facs.txt")
            emotion = _emotion(labels, out, sample) if labels else None
            codes, units = _units(coded, out, sample) if coded else ("", ())
            held = frames(images.path(person, sequence))
            if not len(held) and not labels:
                continue
            peak = _peak(labels) or (held.numbers[-1] if len(held) else None)
            out.add(
                sample,
                f"{NAME}/{person}",
                emotion=emotion,
                aus=units,
                au_codes=codes,
                apex=peak,
                offset=peak,
                onset=held.numbers[0] if len(held) else None,
                fps=FPS,
                frames=held,
                where=labels or held.folder,
            )
    return out.reading()


def _only(listing: Listing, ending: str) -> str | None:
    return next((listing.path(name) for name in listing.files(ending)), None)


def _peak(labels: str | None) -> int | None:
    """The frame that a label file is named after: the last, peak one."""
    named = re.search(r"_(\d+)_emotion\.txt$", labels or "", re.IGNORECASE)
    return int(named[1]) if named else None


def _numbers(path: str) -> list[float] | None:
    with open(path, encoding="latin-1") as file:
        try:
            return [float(word) for word in file.read().split()]
        except ValueError:
            return None


def _emotion(path: str, out: Collector, sample: str) -> str | None:
    numbers = _numbers(path)
    if not numbers or len(numbers) > 1 or int(numbers[0]) not in range(len(EMOTIONS)):
        out.problem(path, 1, "no emotion from 0 to 7 in the file", "restore it from the release", sample)
        return None
    return EMOTIONS[int(numbers[0])]


def _units(path: str, out: Collector, sample: str) -> tuple[str, tuple[int, ...]]:
    """Lines `AU intensity` → `AU=intensity …` and the units."""
    numbers = _numbers(path)
    if numbers is None or len(numbers) % 2:
        out.problem(path, None, "lines are not pairs of unit and intensity", "restore it from the release", sample)
        return "", ()
    pairs = sorted(zip(map(int, numbers[::2]), map(int, numbers[1::2]), strict=True))
    return " ".join(f"{unit}={level}" for unit, level in pairs), tuple(sorted({unit for unit, _ in pairs}))


load = loader(read)
