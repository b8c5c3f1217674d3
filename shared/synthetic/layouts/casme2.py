"""CASME II: `Cropped/sub01/EP02_01f/reg_img46.jpg`, 200 fps, with the 2014 and the 2019 edition of the sheet."""

from collections.abc import Iterable

import numpy as np

from ..labels import Display, generator
from .allot import deal, evenly, uneven
from .common import Layout, Take, Times, au_cell, au_string, fitted, micro_times, objective_class, takes, thin

SHEETS = {"2014": "CASME2-coding-20140508.xlsx", "2019": "CASME2-coding-20190701.xlsx"}
EDITIONS = {"2014+2019": (*SHEETS,), "2014": ("2014",), "2019": ("2019",)}
FPS = 200
SHAPE = (340 / 320, 280 / 320)
EMOTIONS = {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2}
UNITS = {1: 26, 2: 21, 4: 129, 5: 2, 6: 13, 7: 38, 9: 13, 10: 17, 12: 34, 14: 27, 15: 16, 17: 25}
EIGHT = (1, 2, 4, 7, 12, 14, 15, 17)
SHOW_ONE_OF_EIGHT = 243  # as the study of eight AUs counts its videos
UNCODED = 5  # rows whose AU is "?" in 2014
RECODED = 57  # AU strings that differ between the editions, those uncoded among them
TO_SURPRISE = 3  # sadness of 2014 that is surprise in 2019
ONLY_OTHERS = ("sub10", "sub18")  # so that 24 people remain for the composite
ODD = {"sub04": "EP12_01f", "sub05": "EP09_05f", "sub12": "EP09_06"}  # apex "/"; apex = onset, 69; apex = offset, 111
COMPANION = {1: 2, 2: 1, 4: 7, 5: 2, 6: 12, 7: 4, 9: 4, 10: 9, 12: 6, 14: 12, 15: 17, 17: 15, 25: 26}
HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]
SMOKE = {"others": 20, "disgust": 17, "happiness": 14, "repression": 13, "surprise": 12, "sadness": 2}
SMOKE_RECODED = 4


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full; `edition` is a key of EDITIONS."""
    if scale == "smoke":
        clips = takes("CASME2", evenly(SMOKE, [f"sub{i:02d}" for i in range(1, 9)]), _times, seed)
        hidden: set[int] = set()
        coded = _first_coded(clips, range(0, len(clips), len(clips) // SMOKE_RECODED))
    else:
        clips, coded, hidden = _full(seed)
    _name(clips, seed, odd=scale != "smoke")
    moved = [i for i, clip in enumerate(clips) if clip.emotion == "sadness"][:TO_SURPRISE]
    kept = thin(list(enumerate(clips)), scale, lambda pair: pair[1].subject)
    shots = [clip.shot(f"Cropped/{clip.subject}/{clip.name}/reg_img{{}}.jpg", FPS, shape=SHAPE) for _, clip in kept]
    sheets = {}
    for year in EDITIONS[edition]:
        rows = [_row(i, clip, coded[i], i in hidden, i in moved, year, seed) for i, clip in kept]
        sheets[SHEETS[year]] = [HEADER + ["Objective Classes"] * (year == "2019"), *rows]
    return Layout(shots, sheets)


def _times(rng: np.random.Generator) -> Times:
    return micro_times(rng, FPS)


def _full(seed: int) -> tuple[list[Take], list[Display], set[int]]:
    """All clips, what the 2014 coders saw of each, and the rows that they left uncoded."""
    rng = generator("CASME2", seed)
    people = [f"sub{i:02d}" for i in range(1, 27)]
    free = [p for p in people if p not in ONLY_OTHERS]
    sizes = uneven(sum(EMOTIONS.values()) - 4, free, rng, low=3) | dict.fromkeys(ONLY_OTHERS, 2)
    set_apart = [("sub04", "disgust"), ("sub05", "disgust")]  # outside the composite, which keeps their people
    for subject, _ in set_apart:
        sizes[subject] -= 1
    counts = EMOTIONS | {"disgust": EMOTIONS["disgust"] - len(set_apart)}
    limits = dict.fromkeys(ONLY_OTHERS, ("others",))
    dealt = deal(counts, sizes, rng, only=limits, each=("happiness", "disgust", "repression", "surprise"))
    pairs = sorted(set_apart + dealt, key=lambda pair: pair[0])  # a stable sort: those set apart come first
    emotions = [emotion for _, emotion in pairs]
    hidden = set(rng.choice([i for i, e in enumerate(emotions) if e == "others"], UNCODED, replace=False).tolist())
    sparse = [i for i, e in enumerate(emotions) if e in ("disgust", "surprise")]
    bare = set(rng.choice(sparse, len(pairs) - SHOW_ONE_OF_EIGHT - UNCODED, replace=False).tolist())
    units = fitted("CASME2", pairs, _times, seed, UNITS, EIGHT, bare, blank=hidden)
    clips = takes("CASME2", pairs, _times, seed, units=units)
    again = rng.choice([i for i in range(len(pairs)) if i not in hidden], RECODED - UNCODED, replace=False)
    return clips, _first_coded(clips, again), hidden


def _first_coded(clips: list[Take], again: Iterable[int]) -> list[Display]:
    """What the coders of 2014 saw; the clips `again` show a weak AU besides, which only those of 2019 saw."""
    coded = [Display(dict(clip.display.aus), clip.display.sides) for clip in clips]
    for i in again:
        aus = clips[i].display.aus
        aus[next(au for au in (COMPANION.get(next(iter(aus)), 25), 25, 14, 17) if au not in aus)] = 0.12
    return coded


def _name(clips: list[Take], seed: int, odd: bool) -> None:
    """File names, unique within a subject, and absolute frame numbers."""
    rng, taken = generator("CASME2 names", seed), set() if odd else set(ODD.items())
    for clip in clips:
        clip.first = int(rng.integers(20, 400))
        if clip.subject in ODD and (clip.subject, ODD[clip.subject]) not in taken:
            clip.name = ODD[clip.subject]
            _, onset, _, offset = clip.times
            clip.first = {"sub04": clip.first, "sub05": 69 - onset, "sub12": 111 - offset}[clip.subject]
        while not clip.name or (clip.subject, clip.name) in taken:
            clip.name = f"EP{rng.integers(1, 20):02d}_{rng.integers(1, 20):02d}{rng.choice(['', 'f'])}"
        taken.add((clip.subject, clip.name))


def _row(i: int, clip: Take, coded: Display, hidden: bool, moved: bool, edition: str, seed: int) -> list[object]:
    onset, apex, offset = clip.numbers
    if (clip.subject, clip.name) in ODD.items():
        apex = {"sub04": "/", "sub05": onset, "sub12": offset}[clip.subject]
    late = edition == "2019"
    units = au_string(clip.display if late else coded, generator("CASME2 units", seed, i))
    row = [clip.subject[3:], clip.name, None, onset, apex, offset, None]
    row += ["?" if hidden and not late else au_cell(units), "surprise" if late and moved else clip.emotion]
    return row + [objective_class(set(clip.display.aus))] * late
