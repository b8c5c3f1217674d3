"""CASME: `Cropped/sub01/EP01_5/reg_EP01_5-001.jpg`, 60 fps; numbers are padded in the later part of the sheet."""

import numpy as np

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, Take, Times, au_cell, au_string, fitted, micro_times, spared, takes, thin

EDITIONS = {"2013": "casme.xlsx"}
FPS = 60
SHAPE = (340 / 320, 280 / 320)
PEOPLE = [f"sub{i:02d}" for i in range(1, 20)]
STUDIED = {"tense": 69, "disgust": 44, "repression": 40, "surprise": 20}  # the four emotions of which AUs are studied
EMOTIONS = STUDIED | {"happiness": 9, "sadness": 5, "fear": 1, "contempt": 1}
FOUR = {1: 23, 4: 69, 9: 40, 14: 23}
SHOW_ONE_OF_FOUR = 124
SMOKE = {"tense": 14, "disgust": 12, "repression": 12, "surprise": 10, "happiness": 4}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full."""
    if scale == "smoke":
        clips = takes("CASME", evenly(SMOKE, PEOPLE[:6]), _times, seed)
    else:
        clips = thin(_full(seed), scale, lambda clip: clip.subject)
    _name(clips, seed)
    shots = []
    for i, clip in enumerate(clips):
        number = "{}" if i < len(clips) // 2 else "{:03d}"
        shots.append(clip.shot(f"Cropped/{clip.subject}/{clip.name}/reg_{clip.name}-{number}.jpg", FPS, shape=SHAPE))
    header = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"]
    rows = [_row(i, clip, seed) for i, clip in enumerate(clips)]
    return Layout(shots, {EDITIONS[edition]: [header, *rows]})


def _times(rng: np.random.Generator) -> Times:
    return micro_times(rng, FPS)


def _full(seed: int) -> list[Take]:
    """The 189 clips; the AUs studied are met over the four emotions and absent from the others."""
    rng = generator("CASME", seed)
    pairs = sorted(deal(EMOTIONS, uneven(sum(EMOTIONS.values()), PEOPLE, rng, low=2), rng))
    studied = [i for i, (_, emotion) in enumerate(pairs) if emotion in STUDIED]
    chances = spared([pairs[i][1] for i in studied], FOUR)
    without = rng.choice(studied, len(studied) - SHOW_ONE_OF_FOUR, replace=False, p=chances).tolist()
    bare = {*without, *range(len(pairs))} - (set(studied) - set(without))
    return takes("CASME", pairs, _times, seed, units=fitted("CASME", pairs, _times, seed, FOUR, FOUR, bare))


def _name(clips: list[Take], seed: int) -> None:
    rng, taken = generator("CASME names", seed), set()
    for clip in clips:
        clip.first = int(rng.integers(1, 120))
        while not clip.name or (clip.subject, clip.name) in taken:
            clip.name = f"EP{rng.integers(1, 20):02d}_{rng.integers(1, 20)}"
        taken.add((clip.subject, clip.name))


def _row(i: int, clip: Take, seed: int) -> list[object]:
    rng = generator("CASME units", seed, i)
    onset, apex, offset = clip.numbers
    second = apex + 1 if rng.random() < 0.1 and apex + 1 < offset else None
    units = au_cell(au_string(clip.display, rng))
    return [int(clip.subject[3:]), clip.name, None, onset, apex, second, offset, None, units, clip.emotion]
