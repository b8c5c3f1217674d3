"""CAS(ME)³ part A: `part_A_split/part_A/spNO.1/a/color/<n>.jpg`, 30 fps, several expressions in one film."""

import numpy as np

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import Layout, Take, Times, au_cell, au_string, micro_times, objective_class, scenery, takes, thin

EDITIONS = {"v2": "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"}
FPS = 30
SCENERY = scenery(1280, 720)
EMOTIONS = {"anger": 64, "disgust": 250, "fear": 86, "happy": 55, "others": 161, "sad": 57, "surprise": 187}
SHOWN = {"happy": "happiness", "sad": "sadness"}  # the repertoire behind the corpus's own word
PEOPLE = 94
FILMS = "abcdefghijklm"
ALONE = 860 - 588  # rows that are the only one of their film
# Rows with a fault. Apex not after the onset: 57 of the kinds 1 to 3 (onset and offset swapped; apex before the onset;
# apex = onset). Then offset 0, and onset 0, a frame that is not on the disk.
SWAPPED, BEFORE_ONSET, AT_ONSET, OFFSET_ZERO, FRAME_ZERO = 3, 7, 47, 4, 1
CAPITAL = 3  # rows that spell `Others`
SMOKE = {"anger": 8, "disgust": 14, "fear": 8, "happy": 10, "others": 10, "sad": 8, "surprise": 14}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full."""
    rng = generator("CASME3", seed)
    if scale == "smoke":
        pairs = evenly(SMOKE, [f"spNO.{i}" for i in range(1, 9)])
        films = [FILMS[i % 4] for i in range(len(pairs))]
    else:
        numbers = sorted((rng.choice(216, PEOPLE - 1, replace=False) + 2).tolist())
        people = [f"spNO.{i}" for i in [1, *numbers]]
        sizes = uneven(sum(EMOTIONS.values()), people, rng, low=2)
        pairs = deal(EMOTIONS, sizes, rng)
        films = _films(list(sizes.values()))
    clips = takes("CASME3", [(subject, SHOWN.get(emotion, emotion)) for subject, emotion in pairs], _times, seed)
    last: dict[tuple[str, str], int] = {}
    for clip, film in zip(clips, films, strict=True):
        clip.name = film
        clip.first = last.get((clip.subject, film), 0) + int(rng.integers(1, 400))
        last[clip.subject, film] = clip.first + clip.times[0]
    rows = [_row(i, clip, emotion, seed) for i, (clip, (_, emotion)) in enumerate(zip(clips, pairs, strict=True))]
    if scale != "smoke":
        _spoil(rows, clips, rng)
    kept = thin(list(zip(clips, rows, strict=True)), scale, lambda pair: pair[0].subject)
    header = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    shots = [
        clip.shot(f"part_A_split/part_A/{clip.subject}/{clip.name}/color/{{}}.jpg", FPS, **SCENERY)
        for clip, _ in kept
    ]
    return Layout(shots, {EDITIONS[edition]: {"label": [header, *(row for _, row in kept)]}})


def _times(rng: np.random.Generator) -> Times:
    return micro_times(rng, FPS)


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


def _row(i: int, clip: Take, emotion: str, seed: int) -> list[object]:
    aus = au_cell(au_string(clip.display, generator("CASME3 units", seed, i)))
    return [clip.subject, clip.name, *clip.numbers, aus, objective_class(set(clip.display.aus)), emotion]


def _spoil(rows: list[list[object]], clips: list[Take], rng: np.random.Generator) -> None:
    """Put the sheet's faults into rows, one fault a row."""
    order = rng.permutation(len(rows)).tolist()
    opens_film = [i for i in order if i == 0 or rows[i][:2] != rows[i - 1][:2]]
    for i in opens_film[:FRAME_ZERO]:
        order.remove(i)
        clips[i].first = 1
        rows[i][2:5] = [0, *clips[i].numbers[1:]]
    faults = ["swapped"] * SWAPPED + ["before"] * BEFORE_ONSET + ["at"] * AT_ONSET + ["zero"] * OFFSET_ZERO
    for i, fault in zip(order, faults, strict=False):
        onset, apex, offset = rows[i][2:5]
        rows[i][2:5] = {
            "swapped": (offset, apex, onset), "before": (onset, onset - 1, offset),
            "at": (onset, onset, offset), "zero": (onset, apex, 0),
        }[fault]
    for i in [i for i, row in enumerate(rows) if row[-1] == "others"][:CAPITAL]:
        rows[i][-1] = "Others"
