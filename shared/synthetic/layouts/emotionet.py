"""EmotioNet: images `N_0000000001/N_0000000001_00190.jpg`, a sheet for some, its header full of stray quotes."""

import numpy as np

from ..labels import MACRO, Habits, generator
from .common import Layout, Take, person

EDITIONS = {"csv": "EmotioNet_FACS_aws_2020_24600.csv", "xlsx": "EmotioNet_FACS_aws_2020_24600.xlsx"}
ROWS, LABELLED, IMAGES = 24600, 20722, 200_000  # rows; those whose image is there; images in all (of the real million)
SMOKE = (240, 200, 600)
SCORED = (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)
A_FOLDER = 250  # images of a folder
PEOPLE = 2000
UNSCORED = 0.03  # share of the AUs above that nobody scored


def lay(scale: str | float, seed: int, edition: str) -> Layout:
    """The corpus at "smoke", "full" or a share of full; images without a row are the unlabelled set."""
    share = 1 if isinstance(scale, str) else scale
    rows, labelled, images = SMOKE if scale == "smoke" else (round(n * share) for n in (ROWS, LABELLED, IMAGES))
    rng = generator("EmotioNet", seed)
    crowd = [Habits(person(seed, "EmotioNet", str(i))) for i in range(min(PEOPLE, images // 20))]
    who = rng.integers(0, len(crowd), images)
    emotions = rng.choice(list(MACRO), images)
    takes, places = [], [_place(i) for i in range(images + rows - labelled)]
    for i, emotion in zip(who, emotions, strict=True):
        habits = crowd[i]
        shown = habits.show(emotion, habits.choose(emotion, rng, macro=True), rng, macro=True)
        takes.append(Take("", emotion, habits.person, shown, (1, 0, 0, 0)))
    shots = [
        take.shot(place, 1.0, margin=0.2, scene=take.person, blink=False)  # closed eyes are AU 43 here
        for take, place in zip(takes, places, strict=False)
    ]
    with_row = sorted(rng.choice(images, labelled, replace=False).tolist())
    table = [_row(places[i], takes[i].display.aus, rng) for i in with_row]
    table += [_row(place, {}, rng) for place in places[images:]]  # rows whose image is not there
    header = ["URL", "URL orig", *(f"{' ' * (au % 3 == 0)}'AU {au}'{' ' * (au % 7 == 0)}" for au in range(1, 61))]
    return Layout(shots, {EDITIONS[edition]: [header, *table]})


def _place(i: int) -> str:
    folder = f"N_{i // A_FOLDER + 1:010d}"
    return f"{folder}/{folder}_{i % A_FOLDER * 7 + 1:05d}.jpg"


def _row(place: str, aus: dict[int, float], rng: np.random.Generator) -> list[object]:
    """Web addresses, and for AU 1 … 60: 1, 0 or 999 (not scored)."""
    cells: list[object] = [999] * 60
    for au, there in zip(SCORED, rng.random(len(SCORED)) >= UNSCORED, strict=True):
        if there:
            cells[au - 1] = int(au in aus)
    return [f"https://example.org/emotionet/{place}", f"https://example.org/photos/{place[-9:]}", *cells]
