"""Common to the layouts: shots to draw, sheets to write, timing of expressions, AU strings."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from ..labels import Display, Habits, generator, likelihood, number
from .allot import Pair, fit_units

MARGIN = 0.8  # around the face, in faces, of corpora that are released with their background
ACTORS = 2000  # at most: a new face takes as long to draw as sixty frames of a known one
FOLDERS = {  # of emotions in AFEW and FERV39k
    "anger": "Angry",
    "disgust": "Disgust",
    "fear": "Fear",
    "happiness": "Happy",
    "neutral": "Neutral",
    "sadness": "Sad",
    "surprise": "Surprise",
}
Table = Sequence[Sequence[object]]  # rows of cells


class Times(NamedTuple):
    """A clip's number of frames, and the indices of its onset, apex and offset, from 0."""

    frames: int
    onset: int
    apex: int
    offset: int


class Framing(NamedTuple):
    """Height and width of a frame in units of the chosen size, and the margin around the face, in faces."""

    height: float = 1.0
    width: float = 1.0
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip to draw. `path` is below the corpus folder, with `{}` for the frame number or without if it is one file.

    `person` and `seed` are seeds of the face and of all else that is random.
    """

    path: str
    person: int
    seed: int
    display: Display
    times: Times
    fps: float
    first: int = 1  # number of the first frame
    framing: Framing = Framing()
    gray: bool = False
    scene: int | None = None  # seed of the place; None is the person's own laboratory
    blink: bool = True

    @property
    def files(self) -> list[str]:
        """The paths of its frames in order, or of its one file."""
        if "{" not in self.path:
            return [self.path]
        return [self.path.format(self.first + i) for i in range(self.times.frames)]

    def cropped(self) -> "Shot":
        """The same without background, if it has some."""
        return replace(self, framing=Framing()) if self.framing.margin == MARGIN else self


@dataclass(slots=True)
class Plan:
    """Contents of a corpus's folder: shots, sheets (path -> text, rows, or rows of each named sheet), empty folders."""

    shots: list[Shot]
    sheets: dict[str, str | Table | Mapping[str, Table]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Take:
    """One clip before its place on disk is known: who shows what, by which AUs, and when. `person` seeds the face."""

    subject: str
    emotion: str
    person: int
    display: Display
    times: Times
    name: str = ""
    first: int = 1

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Numbers of the true onset, apex and offset frame."""
        return self.first + self.times.onset, self.first + self.times.apex, self.first + self.times.offset

    def shot(
        self,
        path: str,
        fps: float,
        framing: Framing = Framing(),  # noqa: B008 (immutable)
        *,
        gray: bool = False,
        scene: int | None = None,
        blink: bool = True,
    ) -> Shot:
        """The shot of this take whose frames become `path`."""
        seed = number(self.person, path)
        return Shot(path, self.person, seed, self.display, self.times, fps, self.first, framing, gray, scene, blink)


class OfSubject(Protocol):
    """A pair or a take."""

    @property
    def subject(self) -> str: ...


T = TypeVar("T", bound=OfSubject)


def scenery(width: float, height: float) -> Framing:
    """A frame in these proportions that shows the background, the face in it as large as in a crop."""
    return Framing(1 + MARGIN, (1 + MARGIN) * width / height, MARGIN)


def person(seed: int, corpus: str, subject: str) -> int:
    """The seed of a subject's face."""
    return number("person", seed, corpus, subject)


def ordinals(keys: Iterable[Hashable]) -> list[int]:
    """For each key, how many equal ones there are up to it: a, b, a -> 1, 1, 2."""
    seen: Counter[Hashable] = Counter()
    counted = []
    for key in keys:
        seen[key] += 1
        counted.append(seen[key])
    return counted


def micro_times(rng: np.random.Generator, fps: float, lead: int = 3) -> Times:
    """A micro-expression of .18 to .5 s, `lead` frames of the neutral face before and after it."""
    seconds = 0.18 + 0.32 * rng.beta(1.4, 2.6)
    length = max(6, round(seconds * fps))
    apex = lead + min(length - 2, max(2, round(length * rng.uniform(0.35, 0.6))))
    return Times(length + 2 * lead, lead, apex, lead + length - 1)


def macro_times(rng: np.random.Generator, low: int, high: int) -> Times:
    """A whole macro-expression of `low` to `high` frames."""
    frames = int(rng.integers(low, high + 1))
    return Times(frames, frames // 8, round(frames * rng.uniform(0.4, 0.7)), frames - 1)


def rising_times(rng: np.random.Generator, low: int, high: int) -> Times:
    """A sequence of `low` to `high` frames from neutral to its peak, which is the last frame."""
    frames = int(rng.integers(low, high + 1))
    return Times(frames, 0, frames - 1, frames - 1)


def takes(
    corpus: str,
    pairs: Sequence[Pair],
    times: Callable[[np.random.Generator], Times],
    seed: int,
    *,
    macro: bool = False,
    units: Sequence[Sequence[int]] | None = None,
    avoid: Sequence[Collection[int]] | None = None,
) -> list[Take]:
    """A take of each pair; AUs are those of `units`, or chosen by habit without those of `avoid`."""
    made, habits_of = [], cache(Habits)
    for i, (subject, emotion) in enumerate(pairs):
        habits = habits_of(person(seed, corpus, subject))
        rng = generator("take", seed, corpus, macro, i)
        when = times(rng)
        aus = units[i] if units else habits.choose(emotion, rng, macro, avoid[i] if avoid else ())
        made.append(Take(subject, emotion, habits.person, habits.show(emotion, aus, rng, macro), when))
    return made


def spared(emotions: Sequence[str], aus: Collection[int]) -> list[float]:
    """Each clip's chance to be one that shows none of the AUs: larger where its emotion is often shown without them."""
    weights = [1.05 - min(1, sum(likelihood(emotion).get(au, 0) for au in aus)) for emotion in emotions]
    return [weight / sum(weights) for weight in weights]


def fitted(
    corpus: str,
    pairs: Sequence[Pair],
    times: Callable[[np.random.Generator], Times],
    seed: int,
    counts: Mapping[int, int],
    *,
    shared: Collection[int],
    bare: Collection[int],
    uncoded: Collection[int] = (),
) -> list[tuple[int, ...]]:
    """The AUs of each pair's clip, wished for by habit and fitted to the totals: see `fit_units`."""
    avoid = [shared if i in bare else () for i in range(len(pairs))]
    wishes = [tuple(take.display.aus) for take in takes(corpus, pairs, times, seed, avoid=avoid)]
    likely = [likelihood(pair.emotion) for pair in pairs]
    rng = generator("fit", corpus, seed)
    return fit_units(wishes, likely, counts, rng, shared=shared, bare=bare, uncoded=uncoded)


def thin(rows: Sequence[T], share: float) -> list[T]:
    """The rows of this share of the people, the first to appear."""
    people = list(dict.fromkeys(row.subject for row in rows))
    kept = set(people[: math.ceil(len(people) * share)])
    return [row for row in rows if row.subject in kept]


def scaled(counts: Mapping[str, int], share: float) -> dict[str, int]:
    """This share of each count, rounded up."""
    return {key: math.ceil(n * share) for key, n in counts.items()}


def wild(corpus: str, counts: Mapping[str, int], frames: tuple[int, int], seed: int) -> list[Take]:
    """Macro-expressions out of films, in random order, an actor for about four clips, for more once ACTORS play."""
    emotions = list(Counter(counts).elements())
    rng = generator("wild", corpus, seed)
    rng.shuffle(emotions)
    actors = rng.integers(0, min(max(7, len(emotions) // 4), ACTORS), len(emotions))
    pairs = [Pair(f"actor {actor}", emotion) for actor, emotion in zip(actors, emotions, strict=True)]
    return takes(corpus, pairs, lambda rng: macro_times(rng, *frames), seed, macro=True)


def au_string(display: Display, rng: np.random.Generator) -> str:
    """`4+7+L10`: ascending for the most part, unordered now and then."""
    aus = sorted(display.aus)
    if len(aus) > 1 and rng.random() < 0.08:
        aus = aus[::-1]
    return "+".join(display.sides.get(au, "") + str(au) for au in aus)


def au_cell(text: str) -> str | int:
    """As a spreadsheet stores it: a number when the string is one."""
    return int(text) if text.isdecimal() else text


def objective_class(aus: Collection[int]) -> int:
    """Seven classes by AUs alone, I happiness to VII other, after the rules of the 2018 relabelling in short form."""
    shown = set(aus)
    if shown <= {6, 7, 12, 25} and 12 in shown:
        return 1
    if shown <= {1, 2, 5, 25, 26} and shown & {1, 2, 5, 25}:
        return 2
    if shown <= {4, 7, 23, 43, 5} and shown & {4, 23, 7}:
        return 3
    if shown & {9, 10} and shown <= {4, 7, 9, 10, 17}:
        return 4
    if 15 in shown and shown <= {1, 4, 6, 15, 17}:
        return 5
    if 20 in shown or {1, 2, 4} <= shown:
        return 6
    return 7
