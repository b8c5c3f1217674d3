"""MMEW: `Micro_Expression/<emotion>/S13-07-001/1.jpg` at 90 fps and `Macro_Expression/S01/<emotion>/S01-07-001.jpg`."""

import numpy as np

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, Take, Times, au_cell, au_string, macro_times, micro_times, takes, thin

EDITIONS = {"2021": "MMEW_Micro_Exp.xlsx"}
FPS = 90
EMOTIONS = {"happiness": 36, "disgust": 72, "surprise": 89, "fear": 16, "sadness": 13, "anger": 8, "others": 66}
PEOPLE = [f"S{i:02d}" for i in range(1, 37)]
NOT_MICRO = ("S04", "S11", "S17", "S22", "S30", "S35")  # 30 of 36 people show micro-expressions
BASIC = ("happiness", "disgust", "surprise", "fear", "sadness", "anger")
MACRO = 900
FULL_WIDTH = (40, 140, 240)  # rows whose AUs are joined by full-width commas
HEADER = [
    "Subject",
    "Filename",
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    "Action Units",
    "Estimated Emotion",
    "remarks",
]
SMOKE = {"happiness": 10, "disgust": 11, "surprise": 12, "fear": 6, "sadness": 6, "anger": 5, "others": 8}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus, micro and macro, at "smoke", "full" or a share of full."""
    if scale == "smoke":
        micro = takes("MMEW", evenly(SMOKE, PEOPLE[:10]), _micro, seed)
        pairs = evenly(dict.fromkeys(BASIC, 5), PEOPLE[:5])
        macro = takes("MMEW", pairs, lambda rng: macro_times(rng, 8, 12), seed, macro=True)
    else:
        rng = generator("MMEW", seed)
        people = [p for p in PEOPLE if p not in NOT_MICRO]
        sizes = uneven(sum(EMOTIONS.values()), people, rng, low=2)
        micro = takes("MMEW", sorted(deal(EMOTIONS, sizes, rng)), _micro, seed)
        pairs = evenly(dict.fromkeys(BASIC, MACRO // len(BASIC)), PEOPLE)
        macro = takes("MMEW", pairs, lambda rng: macro_times(rng, 14, 30), seed, macro=True)
        micro, macro = (thin(clips, scale, lambda clip: clip.subject) for clips in (micro, macro))
    _number(micro)
    _number(macro)
    rows = [_row(i, clip, seed) for i, clip in enumerate(micro)]
    shots = [clip.shot(f"Micro_Expression/{clip.emotion}/{clip.name}-001/{{}}.jpg", FPS) for clip in micro]
    place = "Macro_Expression/{0.subject}/{0.emotion}/{0.name}-{{:03d}}.jpg"
    shots += [clip.shot(place.format(clip), FPS) for clip in macro]
    return Layout(shots, {EDITIONS[edition]: [HEADER, *rows]})


def _micro(rng: np.random.Generator) -> Times:
    return micro_times(rng, FPS)


def _number(clips: list[Take]) -> None:
    """Names subject-number, one number a clip of a person."""
    used: dict[str, int] = {}
    for clip in clips:
        used[clip.subject] = used.get(clip.subject, 0) + 1
        clip.name = f"{clip.subject}-{used[clip.subject]:02d}"


def _row(i: int, clip: Take, seed: int) -> list[object]:
    units = au_string(clip.display, generator("MMEW units", seed, i))
    if i in FULL_WIDTH:
        units = units.replace("+", "，")
    return [int(clip.subject[1:]), f"{clip.name}-001", *clip.numbers, au_cell(units), clip.emotion, None]
