"""CAS(ME)³ part A: `part_A_split/part_A/spNO.1/a/color/<n>.jpg`, 30 fps, several expressions in one film."""

from collections import Counter
from collections.abc import Mapping
from functools import partial

import numpy as np

from ..labels import generator
from .allot import Pair, deal, evenly, uneven
from .common import Plan, Take, Times, au_cell, au_string, micro_times, objective_class, scenery, takes, thin

EDITIONS = {"v2": "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"}
FPS = 30
FRAMING = scenery(1280, 720)
EMOTIONS = {"anger": 64, "disgust": 250, "fear": 86, "happy": 55, "others": 161, "sad": 57, "surprise": 187}
SHOWN = {"happy": "happiness", "sad": "sadness"}  # the repertoire behind the corpus's own word
PEOPLE = 94
FILMS = "abcdefghijklm"
ALONE = 860 - 588  # rows that are the only one of their film
# The four rows of the label list with a wrong number: subject, film, true frames, frames in the sheet.
TYPOS = (
    ("spNO.216", "d", (2647, 2668, 2694), (3647, 2668, 2694)),
    ("spNO.40", "e", (1812, 1824, 1845), (1812, 1824, 0)),
    ("spNO.40", "e", (2327, 2363, 2403), (2327, 2363, 0)),
    ("spNO.149", "d", (112, 160, 358), (112, 83, 358)),
)
AT_ONSET, FRAME_ZERO = 55, 1  # rows with apex = onset, and with onset 0, a frame that is not on the disk
LEAD = 3  # frames before and after an expression
CAPITAL = 3  # rows that spell `Others`
SMOKE = {"anger": 8, "disgust": 14, "fear": 8, "happy": 10, "others": 10, "sad": 8, "surprise": 14}


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it."""
    rng = generator("CASME3", seed)
    if smoke:
        pairs = evenly(SMOKE, [f"spNO.{i}" for i in range(1, 9)])
        films = [FILMS[i % 4] for i in range(len(pairs))]
    else:
        known = {1, *(int(subject[5:]) for subject, *_ in TYPOS)}
        others = [i for i in range(2, 218) if i not in known]
        people = [f"spNO.{i}" for i in sorted([*known, *rng.choice(others, PEOPLE - len(known), replace=False)])]
        sizes = uneven(sum(EMOTIONS.values()), people, rng, low=2)
        most = max(sizes, key=lambda subject: sizes[subject])  # of their films one at least has two clips
        sizes["spNO.40"], sizes[most] = sizes[most], sizes["spNO.40"]
        pairs = deal(EMOTIONS, sizes, rng)
        films = _named_films([pair.subject for pair in pairs], _films(list(sizes.values())))
    shown = [Pair(subject, SHOWN.get(emotion, emotion)) for subject, emotion in pairs]
    made = takes("CASME3", shown, partial(micro_times, fps=FPS, lead=LEAD), seed)
    typos = [] if smoke else list(TYPOS)
    printed: dict[int, tuple[int, ...]] = {}  # the frames that stand in the rows with a typo
    last: Counter[tuple[str, str]] = Counter()  # the last frame of each film so far
    for i, (take, film) in enumerate(zip(made, films, strict=True)):
        take.name = film
        take.first = last[take.subject, film] + int(rng.integers(1, 400))
        if typo := next((typo for typo in typos if typo[:2] == (take.subject, film)), None):
            typos.remove(typo)
            (onset, apex, offset), printed[i] = typo[2:]
            take.first = onset - LEAD
            take.times = Times(offset - onset + 1 + 2 * LEAD, LEAD, LEAD + apex - onset, LEAD + offset - onset)
        last[take.subject, film] = take.first + take.times.frames
    rows = [_row(i, take, pair.emotion, seed) for i, (take, pair) in enumerate(zip(made, pairs, strict=True))]
    if not smoke:
        _spoil(rows, made, printed, rng)
    kept = thin(made, share)  # the first ones: they are sorted by person
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    path = "part_A_split/part_A/{0.subject}/{0.name}/color/{{}}.jpg"
    shots = [take.shot(path.format(take), FPS, FRAMING) for take in kept]
    return Plan(shots, {EDITIONS[edition]: {"label": [header, *rows[: len(kept)]]}})


def _named_films(subjects: list[str], films: list[str]) -> list[str]:
    """The film of each row, renamed so that those of TYPOS exist, with at least as many clips as have typos in them."""
    films = list(films)
    wanted = Counter(typo[:2] for typo in TYPOS)
    for (subject, film), typos in wanted.items():
        own = [i for i, other in enumerate(subjects) if other == subject]
        there = next(f for f, n in Counter(films[i] for i in own).items() if n >= typos)
        for i in own:
            films[i] = {there: film, film: there}.get(films[i], films[i])
    return films


def _films(sizes: list[int]) -> list[str]:
    """The film of each row, person by person, so that ALONE rows are alone in theirs; at most 13 films a person."""
    alone = [min(n, len(FILMS) - 2) for n in sizes]
    alone = [a - (n - a == 1) for a, n in zip(alone, sizes, strict=True)]  # what is not alone comes at least in twos
    order = sorted(range(len(sizes)), key=lambda i: -alone[i])
    surplus = sum(alone) - ALONE
    while surplus:  # even out: a person with all rows alone gives up two at once, one with shared rows one
        for i in order:
            step = 2 if alone[i] == sizes[i] else 1
            if alone[i] >= step and surplus >= step:
                alone[i] -= step
                surplus -= step
    films = []
    for n, a in zip(sizes, alone, strict=True):
        shared = n - a
        groups = min(max(1, shared // 3), len(FILMS) - a) if shared else 0
        films += [*FILMS[:a], *sorted(FILMS[a + k % groups] for k in range(shared))]
    return films


def _row(i: int, take: Take, emotion: str, seed: int) -> list[object]:
    aus = au_cell(au_string(take.display, generator("CASME3 units", seed, i)))
    return [take.subject, take.name, *take.numbers, aus, objective_class(take.display.aus), emotion]


def _spoil(
    rows: list[list[object]], made: list[Take], printed: Mapping[int, tuple[int, ...]], rng: np.random.Generator
) -> None:
    """Put the sheet's faults into rows, one fault a row."""
    for i, frames in printed.items():
        rows[i][2:5] = frames
    order = [i for i in rng.permutation(len(rows)).tolist() if i not in printed]
    opens_film = [i for i in order if i == 0 or rows[i][:2] != rows[i - 1][:2]]
    for i in opens_film[:FRAME_ZERO]:
        order.remove(i)
        made[i].first = 1
        rows[i][2:5] = [0, *made[i].numbers[1:]]
    for i in order[:AT_ONSET]:
        rows[i][3] = rows[i][2]
    for i in [i for i, row in enumerate(rows) if row[-1] == "others"][:CAPITAL]:
        rows[i][-1] = "Others"
