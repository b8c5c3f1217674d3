"""CASME II: `Cropped/sub01/EP02_01f/reg_img46.jpg`, 200 fps, with the 2014 and the 2019 edition of the sheet."""

from collections.abc import Iterable
from functools import partial

from ..labels import Display, generator
from .allot import Pair, deal, evenly, uneven
from .common import Framing, Plan, Take, au_cell, au_string, fitted, micro_times, objective_class, takes, thin

SHEETS = {"2014": "CASME2-coding-20140508.xlsx", "2019": "CASME2-coding-20190701.xlsx"}
EDITIONS = {"2014+2019": (*SHEETS,), "2014": ("2014",), "2019": ("2019",)}
FPS = 200
FRAMING = Framing(340 / 320, 280 / 320)
EMOTIONS = {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2}
COUNTS = {1: 26, 2: 21, 4: 129, 5: 2, 6: 13, 7: 38, 9: 13, 10: 17, 12: 34, 14: 27, 15: 16, 17: 25}
EIGHT = (1, 2, 4, 7, 12, 14, 15, 17)
SHOW_ONE_OF_EIGHT = 243  # as the study of eight AUs counts its videos
UNCODED = 5  # rows whose AU is "?" in 2014
RECODED = 57  # AU strings that differ between the editions, those uncoded among them
TO_SURPRISE = 3  # sadness of 2014 that is surprise in 2019
ONLY_OTHERS = ("sub10", "sub18")  # so that 24 people remain for the composite
COMPOSITE = ("happiness", "disgust", "repression", "surprise")
ODD = {"sub04": "EP12_01f", "sub05": "EP09_05f", "sub12": "EP09_06"}  # apex "/"; apex = onset, 69; apex = offset, 111
COMPANION = {1: 2, 2: 1, 4: 7, 5: 2, 6: 12, 7: 4, 9: 4, 10: 9, 12: 6, 14: 12, 15: 17, 17: 15, 25: 26}
HEADER: list[object] = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None]
HEADER += ["Action Units", "Estimated Emotion"]
SMOKE = {"others": 20, "disgust": 17, "happiness": 14, "repression": 13, "surprise": 12, "sadness": 2}
SMOKE_RECODED = 4
TIMES = partial(micro_times, fps=FPS)


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it; `edition` is a key of EDITIONS."""
    if smoke:
        made = takes("CASME2", evenly(SMOKE, [f"sub{i:02d}" for i in range(1, 9)]), TIMES, seed)
        uncoded: set[int] = set()
        coded = _first_coded(made, range(0, len(made), len(made) // SMOKE_RECODED))
    else:
        made, coded, uncoded = _full(seed)
    _name(made, seed, odd=not smoke)
    moved = [i for i, take in enumerate(made) if take.emotion == "sadness"][:TO_SURPRISE]
    kept = thin(made, share)  # the first rows: they are sorted by person
    shots = [take.shot(f"Cropped/{take.subject}/{take.name}/reg_img{{}}.jpg", FPS, FRAMING) for take in kept]
    plan = Plan(shots)
    for year in EDITIONS[edition]:
        late = year == "2019"
        rows = [HEADER + ["Objective Classes"] * late]
        for i, take in enumerate(kept):
            units = au_string(take.display if late else coded[i], generator("CASME2 units", seed, i))
            emotion = "surprise" if late and i in moved else take.emotion
            row = [take.subject[3:], take.name, None, *_printed(take), None]
            row += ["?" if i in uncoded and not late else au_cell(units), emotion]
            rows.append(row + [objective_class(take.display.aus)] * late)
        plan.sheets[SHEETS[year]] = rows
    return plan


def _full(seed: int) -> tuple[list[Take], list[Display], set[int]]:
    """All takes, the coding of each in 2014, and the rows that were left uncoded then."""
    rng = generator("CASME2", seed)
    people = [f"sub{i:02d}" for i in range(1, 27)]
    free = [p for p in people if p not in ONLY_OTHERS]
    sizes = uneven(sum(EMOTIONS.values()) - 4, free, rng, low=3) | dict.fromkeys(ONLY_OTHERS, 2)
    set_apart = [Pair("sub04", "disgust"), Pair("sub05", "disgust")]  # outside the composite, which keeps their people
    for subject, _ in set_apart:
        sizes[subject] -= 1
    counts = EMOTIONS | {"disgust": EMOTIONS["disgust"] - len(set_apart)}
    dealt = deal(counts, sizes, rng, only=dict.fromkeys(ONLY_OTHERS, ("others",)), each=COMPOSITE)
    pairs = sorted(set_apart + dealt, key=lambda pair: pair.subject)  # a stable sort: those set apart come first
    others = [i for i, pair in enumerate(pairs) if pair.emotion == "others"]
    uncoded = set(rng.choice(others, UNCODED, replace=False).tolist())
    sparse = [i for i, pair in enumerate(pairs) if pair.emotion in ("disgust", "surprise")]
    bare = set(rng.choice(sparse, len(pairs) - SHOW_ONE_OF_EIGHT - UNCODED, replace=False).tolist())
    units = fitted("CASME2", pairs, TIMES, seed, COUNTS, shared=EIGHT, bare=bare, uncoded=uncoded)
    made = takes("CASME2", pairs, TIMES, seed, units=units)
    again = rng.choice([i for i in range(len(pairs)) if i not in uncoded], RECODED - UNCODED, replace=False)
    return made, _first_coded(made, again), uncoded


def _first_coded(made: list[Take], again: Iterable[int]) -> list[Display]:
    """The coding of 2014; the takes `again` also show a weak AU that only the coders of 2019 saw."""
    coded = [Display(dict(take.display.aus), take.display.sides) for take in made]
    for i in again:
        aus = made[i].display.aus
        aus[next(au for au in (COMPANION.get(next(iter(aus)), 25), 25, 14, 17) if au not in aus)] = 0.12
    return coded


def _name(made: list[Take], seed: int, odd: bool) -> None:
    """File names, unique within a subject, and absolute frame numbers."""
    rng, used = generator("CASME2 names", seed), set() if odd else set(ODD.items())
    for take in made:
        take.first = int(rng.integers(20, 400))
        if take.subject in ODD and (take.subject, ODD[take.subject]) not in used:
            take.name = ODD[take.subject]
            starts = {"sub05": 69 - take.times.onset, "sub12": 111 - take.times.offset}
            take.first = starts.get(take.subject, take.first)
        while not take.name or (take.subject, take.name) in used:
            take.name = f"EP{rng.integers(1, 20):02d}_{rng.integers(1, 20):02d}{rng.choice(['', 'f'])}"
        used.add((take.subject, take.name))


def _printed(take: Take) -> list[object]:
    """Onset, apex and offset as the sheet has them."""
    onset, apex, offset = take.numbers
    if ODD.get(take.subject) != take.name:
        return [onset, apex, offset]
    return [onset, {"sub04": "/", "sub05": onset, "sub12": offset}[take.subject], offset]
