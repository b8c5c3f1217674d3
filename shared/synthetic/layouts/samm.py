"""SAMM: `006/006_1_2/006_05562.jpg`, grey frames of the whole scene, 200 fps, in both forms of the sheet's header."""

import numpy as np

from ..labels import generator
from .allot import deal, evenly, uneven
from .common import (
    Layout,
    Take,
    Times,
    au_cell,
    au_string,
    fitted,
    micro_times,
    objective_class,
    scenery,
    spared,
    takes,
    thin,
)

EDITIONS = {"notes": "SAMM_Micro_FACS_Codes_v2.xlsx", "plain": "SAMM_20181215_Micro_FACS_Codes_v2.xlsx"}
FPS = 200
SCENERY = scenery(960, 650)
EMOTIONS = {
    "Anger": 57,
    "Other": 26,
    "Happiness": 26,
    "Surprise": 15,
    "Contempt": 12,
    "Disgust": 9,
    "Fear": 8,
    "Sadness": 6,
}
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
HEADER = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
]
SMOKE = {"Anger": 14, "Other": 9, "Happiness": 9, "Surprise": 7, "Contempt": 6, "Disgust": 2, "Sadness": 1}


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full; `edition` is a key of EDITIONS."""
    if scale == "smoke":
        clips = takes("SAMM", _words(evenly(SMOKE, PEOPLE[:7])), _times, seed)
        strings = [au_string(clip.display, generator("SAMM units", seed, i)) for i, clip in enumerate(clips)]
    else:
        clips, strings = _full(seed)
    _name(clips, seed)
    kept = thin(list(zip(clips, strings, strict=True)), scale, lambda pair: pair[0].subject)
    notes = [[note] for note in NOTES] if edition == "notes" else []
    rows = [_row(clip, string, len(notes) + 2 + i) for i, (clip, string) in enumerate(kept)]
    shots = [
        clip.shot(f"{clip.subject}/{clip.name}/{clip.subject}_{{:05d}}.jpg", FPS, gray=True, **SCENERY)
        for clip, _ in kept
    ]
    return Layout(shots, {EDITIONS[edition]: [*notes, HEADER, *rows]})


def _times(rng: np.random.Generator) -> Times:
    return micro_times(rng, FPS)


def _words(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs with emotions by the names under which they are shown."""
    return [(subject, "others" if emotion == "Other" else emotion.lower()) for subject, emotion in pairs]


def _full(seed: int) -> tuple[list[Take], list[str]]:
    """All clips and their AU strings."""
    rng = generator("SAMM", seed)
    free = [p for p in PEOPLE if p not in ONLY]
    sizes = uneven(sum(EMOTIONS.values()) - 2 * len(ONLY), free, rng, low=2) | dict.fromkeys(ONLY, 2)
    pairs = _words(sorted(deal(EMOTIONS, sizes, rng, only=ONLY, each=FIVE)))
    written: dict[int, tuple[str, tuple[int, ...]]] = {}
    for string, emotion, aus in WRITTEN:
        fits = [i for i, (_, word) in enumerate(pairs) if word == emotion and i not in written]
        written[int(rng.choice(fits))] = (string, aus)
    counts = {au: n - sum(au in aus for _, aus in written.values()) for au, n in FOUR.items()}
    counts[12] -= ALTERNATIVES
    named = ALTERNATIVES + sum(bool(set(aus) & set(FOUR)) for _, aus in written.values())
    rest = [i for i in range(len(pairs)) if i not in written]
    chances = spared([pairs[i][1] for i in rest], FOUR)
    bare = rng.choice(len(rest), len(rest) - (SHOW_ONE_OF_FOUR - named), replace=False, p=chances).tolist()
    units = dict(zip(rest, fitted("SAMM", [pairs[i] for i in rest], _times, seed, counts, FOUR, bare), strict=True))
    units |= {i: aus for i, (_, aus) in written.items()}
    clips = takes("SAMM", pairs, _times, seed, units=[units[i] for i in range(len(pairs))])
    strings = [au_string(clip.display, generator("SAMM units", seed, i)) for i, clip in enumerate(clips)]
    return clips, [written[i][0] if i in written else string for i, string in enumerate(strings)]


def _name(clips: list[Take], seed: int) -> None:
    """File names subject_film_number and absolute frame numbers."""
    rng, used = generator("SAMM names", seed), {}
    odd = {name[:3]: name for name in ODD}
    for clip in clips:
        clip.first = int(rng.integers(200, 9000))
        film = int(rng.integers(1, 8))
        if clip.subject in odd:
            name = odd.pop(clip.subject)
            film = int(name[4])
            (onset, apex, offset), *_ = ODD[name]
            lead = clip.times[1]
            clip.first = onset - lead
            clip.times = (offset - onset + 1 + 2 * lead, lead, apex - onset + lead, offset - onset + lead)
        used[clip.subject, film] = used.get((clip.subject, film), 0) + 1
        clip.name = f"{clip.subject}_{film}_{used[clip.subject, film]}"


def _row(clip: Take, string: str, row: int) -> list[object]:
    onset, apex, offset = clip.numbers
    if clip.name in ODD:
        _, apex, offset = ODD[clip.name]
    emotion = "Other" if clip.emotion == "others" else clip.emotion.capitalize()
    return [
        clip.subject,
        clip.name,
        clip.name[4],
        onset,
        apex,
        offset,
        f"=F{row}-D{row}+1",
        "Micro - 1/2",
        au_cell(string),
        emotion,
        objective_class(set(clip.display.aus)),
        None,
    ]
