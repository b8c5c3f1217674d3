"""MMEW: `Micro_Expression/<emotion>/S13-07-001/1.jpg` at 90 fps and `Macro_Expression/S01/<emotion>/S01-07-001.jpg`."""

from functools import partial

from ..labels import generator
from .allot import evenly, unevenly
from .common import Plan, Take, au_cell, au_string, macro_times, micro_times, ordinals, takes, thin

EDITIONS = {"2021": "MMEW_Micro_Exp.xlsx"}
FPS = 90
EMOTIONS = {"happiness": 36, "disgust": 72, "surprise": 89, "fear": 16, "sadness": 13, "anger": 8, "others": 66}
PEOPLE = [f"S{i:02d}" for i in range(1, 37)]
NOT_MICRO = ("S04", "S11", "S17", "S22", "S30", "S35")  # 30 of 36 people show micro-expressions
BASIC = ("happiness", "disgust", "surprise", "fear", "sadness", "anger")
MACRO = 900
FULL_WIDTH = (40, 140, 240)  # rows whose AUs are joined by full-width commas
HEADER: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame"]
HEADER += ["Action Units", "Estimated Emotion", "remarks"]
SMOKE = {"happiness": 10, "disgust": 11, "surprise": 12, "fear": 6, "sadness": 6, "anger": 5, "others": 8}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus, micro and macro, at smoke scale, or this share of it."""
    if smoke:
        micro, macro = evenly(SMOKE, PEOPLE[:10]), evenly(dict.fromkeys(BASIC, 5), PEOPLE[:5])
    else:
        people = [p for p in PEOPLE if p not in NOT_MICRO]
        micro = thin(unevenly(EMOTIONS, people, generator("MMEW", seed)), share)
        macro = thin(evenly(dict.fromkeys(BASIC, MACRO // len(BASIC)), PEOPLE), share)
    low, high = (8, 12) if smoke else (14, 30)
    plan, rows = Plan([]), [HEADER]
    for i, take in enumerate(_named(takes("MMEW", micro, partial(micro_times, fps=FPS), seed))):
        units = au_string(take.display, generator("MMEW units", seed, i))
        if i in FULL_WIDTH:
            units = units.replace("+", "，")
        name = f"{take.name}-001"
        rows.append([int(take.subject[1:]), name, *take.numbers, au_cell(units), take.emotion, None])
        plan.shots.append(take.shot(f"Micro_Expression/{take.emotion}/{name}/{{}}.jpg", FPS))
    for take in _named(takes("MMEW", macro, partial(macro_times, low=low, high=high), seed, macro=True)):
        path = f"Macro_Expression/{take.subject}/{take.emotion}/{take.name}-{{:03d}}.jpg"
        plan.shots.append(take.shot(path, FPS))
    plan.sheets[EDITIONS[edition]] = rows
    return plan


def _named(made: list[Take]) -> list[Take]:
    """The takes with names subject-number, numbered within a subject."""
    for take, n in zip(made, ordinals(take.subject for take in made), strict=True):
        take.name = f"{take.subject}-{n:02d}"
    return made
