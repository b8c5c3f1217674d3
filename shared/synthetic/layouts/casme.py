"""CASME: `Cropped/sub01/EP01_5/reg_EP01_5-001.jpg`, 60 fps; numbers are padded in the later part of the sheet."""

from functools import partial

from ..labels import generator
from .allot import evenly, unevenly
from .common import Framing, Plan, Take, au_cell, au_string, fitted, micro_times, spared, takes, thin

EDITIONS = {"2013": "casme.xlsx"}
FPS = 60
FRAMING = Framing(340 / 320, 280 / 320)
PEOPLE = [f"sub{i:02d}" for i in range(1, 20)]
STUDIED = {"tense": 69, "disgust": 44, "repression": 40, "surprise": 20}  # the four emotions of which AUs are studied
EMOTIONS = STUDIED | {"happiness": 9, "sadness": 5, "fear": 1, "contempt": 1}
FOUR = {1: 23, 4: 69, 9: 40, 14: 23}
SHOW_ONE_OF_FOUR = 124
SMOKE = {"tense": 14, "disgust": 12, "repression": 12, "surprise": 10, "happiness": 4}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it."""
    times = partial(micro_times, fps=FPS)
    if smoke:
        made = takes("CASME", evenly(SMOKE, PEOPLE[:6]), times, seed)
    else:  # the AUs studied are met over the four emotions and absent from the others
        rng = generator("CASME", seed)
        pairs = unevenly(EMOTIONS, PEOPLE, rng)
        studied = [i for i, pair in enumerate(pairs) if pair.emotion in STUDIED]
        chances = spared([pairs[i].emotion for i in studied], FOUR)
        without = rng.choice(studied, len(studied) - SHOW_ONE_OF_FOUR, replace=False, p=chances).tolist()
        bare = {*range(len(pairs))} - {*studied} | {*without}
        units = fitted("CASME", pairs, times, seed, FOUR, shared=FOUR, bare=bare)
        made = thin(takes("CASME", pairs, times, seed, units=units), share)
    _name(made, seed)
    shots = []
    for i, take in enumerate(made):
        number = "{}" if i < len(made) // 2 else "{:03d}"
        shots.append(take.shot(f"Cropped/{take.subject}/{take.name}/reg_{take.name}-{number}.jpg", FPS, FRAMING))
    header = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"]
    return Plan(shots, {EDITIONS[edition]: [header, *(_row(i, take, seed) for i, take in enumerate(made))]})


def _name(made: list[Take], seed: int) -> None:
    """File names, unique within a subject, and absolute frame numbers."""
    rng, used = generator("CASME names", seed), set()
    for take in made:
        take.first = int(rng.integers(1, 120))
        while not take.name or (take.subject, take.name) in used:
            take.name = f"EP{rng.integers(1, 20):02d}_{rng.integers(1, 20)}"
        used.add((take.subject, take.name))


def _row(i: int, take: Take, seed: int) -> list[object]:
    rng = generator("CASME units", seed, i)
    onset, apex, offset = take.numbers
    second = apex + 1 if rng.random() < 0.1 and apex + 1 < offset else None
    units = au_cell(au_string(take.display, rng))
    return [int(take.subject[3:]), take.name, None, onset, apex, second, offset, None, units, take.emotion]
