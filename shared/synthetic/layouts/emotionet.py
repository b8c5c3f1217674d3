"""EmotioNet: images `N_0000000001/N_0000000001_00190.jpg`, a sheet for some, its header full of stray quotes."""

import numpy as np

from ..labels import MACRO, Habits, generator
from .common import Framing, Plan, Take, Times, person

EDITIONS = {"csv": "EmotioNet_FACS_aws_2020_24600.csv", "xlsx": "EmotioNet_FACS_aws_2020_24600.xlsx"}
ROWS, LABELLED, IMAGES = 24600, 20722, 200_000  # rows; those whose image is there; images in all (of the real million)
SMOKE = (240, 200, 600)
SCORED = (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43)
A_FOLDER = 250  # images of a folder
PEOPLE = 2000
UNSCORED = 0.03  # share of the AUs above that nobody scored


def lay(smoke: bool, share: float, seed: int, edition: str) -> Plan:
    """The corpus at smoke scale, or this share of it; images without a row are the unlabelled set."""
    rows, labelled, images = (round(n * share) for n in (SMOKE if smoke else (ROWS, LABELLED, IMAGES)))
    rng = generator("EmotioNet", seed)
    crowd = [Habits(person(seed, "EmotioNet", str(i))) for i in range(min(PEOPLE, images // 20))]
    who = rng.integers(0, len(crowd), images)
    emotions = rng.choice(list(MACRO), images)
    shots, displays, paths = [], [], [_path(i) for i in range(images + rows - labelled)]
    for i, emotion, path in zip(who, emotions, paths, strict=False):
        habits = crowd[i]
        displays.append(habits.show(emotion, habits.choose(emotion, rng, macro=True), rng, macro=True))
        take = Take("", emotion, habits.person, displays[-1], Times(1, 0, 0, 0))
        # closed eyes are AU 43 here
        shots.append(take.shot(path, 1.0, Framing(margin=0.2), scene=take.person, blink=False))
    with_row = sorted(rng.choice(images, labelled, replace=False).tolist())
    table = [_row(paths[i], displays[i].aus, rng) for i in with_row]
    table += [_row(path, {}, rng) for path in paths[images:]]  # rows whose image is not there
    header = ["URL", "URL orig", *(f"{' ' * (au % 3 == 0)}'AU {au}'{' ' * (au % 7 == 0)}" for au in range(1, 61))]
    return Plan(shots, {EDITIONS[edition]: [header, *table]})


def _path(i: int) -> str:
    folder = f"N_{i // A_FOLDER + 1:010d}"
    return f"{folder}/{folder}_{i % A_FOLDER * 7 + 1:05d}.jpg"


def _row(path: str, aus: dict[int, float], rng: np.random.Generator) -> list[object]:
    """Web addresses, and for AU 1 … 60: 1, 0 or 999 (not scored)."""
    cells: list[object] = [999] * 60
    for au, there in zip(SCORED, rng.random(len(SCORED)) >= UNSCORED, strict=True):
        if there:
            cells[au - 1] = int(au in aus)
    return [f"https://example.org/emotionet/{path}", f"https://example.org/photos/{path[-9:]}", *cells]
