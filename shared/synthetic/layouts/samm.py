"""SAMM: `006/006_1_2/006_05562.jpg`, grey frames of the whole scene, 200 fps, in both forms of the sheet's header."""

from functools import partial

from ..labels import generator
from .allot import Pair, deal, evenly, uneven
from .common import (
    Plan,
    Take,
    Times,
    au_cell,
    au_string,
    fitted,
    micro_times,
    objective_class,
    ordinals,
    scenery,
    spared,
    takes,
    thin,
)

EDITIONS = {"notes": "SAMM_Micro_FACS_Codes_v2.xlsx", "plain": "SAMM_20181215_Micro_FACS_Codes_v2.xlsx"}
FPS = 200
FRAMING = scenery(960, 650)
EMOTIONS = dict(Anger=57, Other=26, Happiness=26, Surprise=15, Contempt=12, Disgust=9, Fear=8, Sadness=6)
PEOPLE = ["006", "007", *(f"{i:03d}" for i in range(9, 27)), "028", *(f"{i:03d}" for i in range(30, 38))]
ONLY = {"024": ("Other",), "025": ("Disgust", "Fear", "Sadness"), "037": ("Disgust", "Fear", "Sadness")}
FIVE = ("Happiness", "Anger", "Contempt", "Surprise")
FOUR = {2: 18, 4: 23, 7: 46, 12: 30}
SHOW_ONE_OF_FOUR = 105
# Strings as coders wrote them: (string, emotion, what the face does). In the last four AU12 is only an alternative.
WRITTEN = [
    ("12A", "happiness", (12,)),
    ("L12A+25", "happiness", (12, 25)),
    ("A12+A7", "happiness", (12, 7)),
    ("A/L12", "happiness", (12,)),
    ("12+15 ", "happiness", (12, 15)),
    ("4A/B", "anger", (4,)),
    ("14+17?", "anger", (14, 17)),
    ("ref(5B)+43C", "others", (43,)),
    ("B18+25", "others", (25,)),
    ("R14A or 17A or 24A", "contempt", (14,)),
    ("R14+17+soft focus", "contempt", (14, 17)),
    ("(R6 or R12)+R15", "sadness", (15, 6)),
    ("R12 or R14", "contempt", (14,)),
    ("12A or 14A", "contempt", (14,)),
    ("12/14", "contempt", (14,)),
]
ALTERNATIVES = 4
# Rows whose order is wrong: the true onset, apex and offset, then the sheet's apex and offset.
ODD = {"028_4_1": ((1084, 1134, 1143), 1143, 1134), "032_3_1": ((4896, 4930, 4968), 1930, 4968)}
NOTES = ["Generated faces in the layout of SAMM's coding sheet.", *[""] * 11, "Frame numbers are absolute."]
HEADER: list[object] = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame"]
HEADER += ["Duration", "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]
SMOKE = {"Anger": 14, "Other": 9, "Happiness": 9, "Surprise": 7, "Contempt": 6, "Disgust": 2, "Sadness": 1}
TIMES = partial(micro_times, fps=FPS)


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it; `edition` is a key of EDITIONS."""
    written: dict[int, str] = {}
    if smoke:
        made = takes("SAMM", _words(evenly(SMOKE, PEOPLE[:7])), TIMES, seed)
    else:
        made, written = _full(seed)
    _name(made, seed)
    rows: list[list[object]] = [[note] for note in NOTES] if edition == "notes" else []
    rows.append(HEADER)
    shots = []
    for i, take in enumerate(thin(made, share)):  # the first ones: they are sorted by person
        string = written.get(i) or au_string(take.display, generator("SAMM units", seed, i))
        rows.append(_row(take, string, len(rows) + 1))
        path = f"{take.subject}/{take.name}/{take.subject}_{{:05d}}.jpg"
        shots.append(take.shot(path, FPS, FRAMING, gray=True))
    return Plan(shots, {EDITIONS[edition]: rows})


def _words(pairs: list[Pair]) -> list[Pair]:
    """The pairs with emotions by the names under which they are shown."""
    return [Pair(subject, "others" if emotion == "Other" else emotion.lower()) for subject, emotion in pairs]


def _full(seed: int) -> tuple[list[Take], dict[int, str]]:
    """All takes, and the AU strings of WRITTEN by row."""
    rng = generator("SAMM", seed)
    free = [p for p in PEOPLE if p not in ONLY]
    sizes = uneven(sum(EMOTIONS.values()) - 2 * len(ONLY), free, rng, low=2) | dict.fromkeys(ONLY, 2)
    pairs = _words(sorted(deal(EMOTIONS, sizes, rng, only=ONLY, each=FIVE)))
    written: dict[int, str] = {}
    units: dict[int, tuple[int, ...]] = {}
    for string, emotion, aus in WRITTEN:
        row = int(rng.choice([i for i, pair in enumerate(pairs) if pair.emotion == emotion and i not in written]))
        written[row], units[row] = string, aus
    counts = {au: n - sum(au in aus for aus in units.values()) for au, n in FOUR.items()}
    counts[12] -= ALTERNATIVES
    named = ALTERNATIVES + sum(bool(set(aus) & set(FOUR)) for aus in units.values())
    rest = [i for i in range(len(pairs)) if i not in written]
    chances = spared([pairs[i].emotion for i in rest], FOUR)
    bare = set(rng.choice(len(rest), len(rest) - (SHOW_ONE_OF_FOUR - named), replace=False, p=chances).tolist())
    free_units = fitted("SAMM", [pairs[i] for i in rest], TIMES, seed, counts, shared=FOUR, bare=bare)
    units |= dict(zip(rest, free_units, strict=True))
    return takes("SAMM", pairs, TIMES, seed, units=[units[i] for i in range(len(pairs))]), written


def _name(made: list[Take], seed: int) -> None:
    """File names subject_film_number and absolute frame numbers."""
    rng = generator("SAMM names", seed)
    odd, films = {name[:3]: name for name in ODD}, []
    for take in made:
        take.first = int(rng.integers(200, 9000))
        film = int(rng.integers(1, 8))
        if name := odd.pop(take.subject, None):
            film = int(name[4])
            (onset, apex, offset), *_ = ODD[name]
            lead = take.times.onset
            take.first = onset - lead
            take.times = Times(offset - onset + 1 + 2 * lead, lead, apex - onset + lead, offset - onset + lead)
        films.append(f"{take.subject}_{film}")
    for take, name, n in zip(made, films, ordinals(films), strict=True):
        take.name = f"{name}_{n}"


def _row(take: Take, string: str, row: int) -> list[object]:
    onset, apex, offset = take.numbers
    if take.name in ODD:
        _, apex, offset = ODD[take.name]
    emotion = "Other" if take.emotion == "others" else take.emotion.capitalize()
    duration, kind, objective = f"=F{row}-D{row}+1", "Micro - 1/2", objective_class(take.display.aus)
    start = [take.subject, take.name, take.name[4], onset, apex, offset, duration, kind]
    return [*start, au_cell(string), emotion, objective, None]
