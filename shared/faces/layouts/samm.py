"""SAMM: `006/006_1_2/006_05562.jpg`, grey frames of the whole scene, 200 fps, in both forms of the sheet's header."""

from ..labels import generator
from .allot import deal, evenly, fit_units, uneven
from .common import Layout, Take, au_cell, au_string, likelihoods, micro_times, objective_class, takes, thin

EDITIONS = {"notes": "SAMM_Micro_FACS_Codes_v2.xlsx", "plain": "SAMM_20181215_Micro_FACS_Codes_v2.xlsx"}
FPS = 200
SHAPE = (650 / 640, 960 / 640)
MARGIN = 0.8
EMOTIONS = {"Anger": 57, "Other": 26, "Happiness": 26, "Surprise": 15, "Contempt": 12, "Disgust": 9, "Fear": 8, "Sadness": 6}
PEOPLE = ["006", "007", *(f"{i:03d}" for i in range(9, 27)), "028", *(f"{i:03d}" for i in range(30, 38))]
ONLY = {"024": ("Other",), "025": ("Disgust", "Fear", "Sadness"), "037": ("Disgust", "Fear", "Sadness")}
FIVE = ("Happiness", "Anger", "Contempt", "Surprise")
FOUR = {2: 18, 4: 23, 7: 46, 12: 30}
SHOW_ONE_OF_FOUR = 105
# Strings as coders wrote them: (string, emotion, what the face does). In the last four AU12 is only an alternative.
WRITTEN = [
    ("12A", "Happiness", (12,)), ("L12A+25", "Happiness", (12, 25)), ("A12+A7", "Happiness", (12, 7)),
    ("A/L12", "Happiness", (12,)), ("12+15 ", "Happiness", (12, 15)), ("4A/B", "Anger", (4,)),
    ("ref(5B)+43C", "Other", (43,)), ("B18+25", "Other", (25,)), ("14+17?", "Anger", (14, 17)),
    ("R14A or 17A or 24A", "Contempt", (14,)), ("R14+17+soft focus", "Contempt", (14, 17)),
    ("(R6 or R12)+R15", "Sadness", (15, 6)), ("R12 or R14", "Contempt", (14,)), ("12A or 14A", "Contempt", (14,)),
    ("12/14", "Contempt", (14,)),
]  # fmt: skip
ALTERNATIVES = 4
ODD = {"028_4_1": ((1084, 1134, 1143), 1143, 1134), "032_3_1": ((4896, 4930, 4968), 1930, 4968)}  # truth; the sheet's apex, offset
NOTES = ["Generated faces in the layout of SAMM's coding sheet.", *("" for _ in range(11)), "Frame numbers are absolute."]
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
    header = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
              "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]  # fmt: skip
    rows = [_row(clip, string, len(notes) + 2 + i) for i, (clip, string) in enumerate(kept)]
    shots = [
        clip.shot(f"{clip.subject}/{clip.name}/{clip.subject}_{{:05d}}.jpg", FPS, shape=SHAPE, margin=MARGIN, gray=True)
        for clip, _ in kept
    ]
    return Layout(shots, {EDITIONS[edition]: [*notes, header, *rows]})


def _times(rng):
    return micro_times(rng, FPS)


def _words(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs with emotions by the names under which they are shown."""
    return [(subject, {"Other": "others"}.get(emotion, emotion.lower())) for subject, emotion in pairs]


def _full(seed: int) -> tuple[list[Take], list[str]]:
    """All clips and their AU strings."""
    rng = generator("SAMM", seed)
    free = [p for p in PEOPLE if p not in ONLY]
    sizes = dict(zip(free, uneven(159 - 6, len(free), rng, low=2), strict=True)) | dict.fromkeys(ONLY, 2)
    pairs = _words(sorted(deal(EMOTIONS, sizes, rng, only=ONLY, each=FIVE)))
    written: dict[int, tuple[str, tuple[int, ...]]] = {}
    for string, emotion, aus in WRITTEN:
        word = _words([("", emotion)])[0][1]
        fits = [i for i, (_, e) in enumerate(pairs) if e == word and i not in written]
        written[int(rng.choice(fits))] = (string, aus)
    counts = {au: n - sum(au in aus for _, aus in written.values()) for au, n in FOUR.items()}
    counts[12] -= ALTERNATIVES
    named = ALTERNATIVES + sum(bool(set(aus) & set(FOUR)) for _, aus in written.values())
    rest = [i for i in range(len(pairs)) if i not in written]
    emotions = [pairs[i][1] for i in rest]
    bare = set(rng.choice(len(rest), len(rest) - (SHOW_ONE_OF_FOUR - named), replace=False, p=_spared(emotions)).tolist())
    wished = takes("SAMM", [pairs[i] for i in rest], _times, seed, avoid=[FOUR if k in bare else () for k in range(len(rest))])
    fitted = fit_units([tuple(clip.display.aus) for clip in wished], likelihoods(emotions), counts, rng, shared=FOUR, bare=bare)
    units = dict(zip(rest, fitted, strict=True)) | {i: aus for i, (_, aus) in written.items()}
    clips = takes("SAMM", pairs, _times, seed, units=[units[i] for i in range(len(pairs))])
    strings = [au_string(clip.display, generator("SAMM units", seed, i)) for i, clip in enumerate(clips)]
    return clips, [written[i][0] if i in written else string for i, string in enumerate(strings)]


def _spared(emotions: list[str]) -> list[float]:
    """Chances to show none of the four AUs: larger where the emotion is often shown without them."""
    weights = [1.05 - min(1, sum(odds.get(au, 0) for au in FOUR)) for odds in likelihoods(emotions)]
    return [w / sum(weights) for w in weights]


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
    return [clip.subject, clip.name, clip.name[4], onset, apex, offset, f"=F{row}-D{row}+1", "Micro - 1/2", au_cell(string), emotion,
            objective_class(set(clip.display.aus)), None]  # fmt: skip
