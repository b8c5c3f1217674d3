"""What the layouts have in common: shots to draw, sheets to write, timing of expressions, AU strings."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..labels import Display, Habits, generator, likelihood, number
from .allot import fit_units


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip to draw. `path` is below the corpus folder, with `{}` for the frame number or without if it is one file.

    Onset, apex and offset are indices of frames, from 0.
    """

    path: str
    person: int
    seed: int
    aus: Mapping[int, float]
    sides: Mapping[int, str]
    fps: float
    frames: int
    onset: int
    apex: int
    offset: int
    first: int = 1  # number of the first frame
    shape: tuple[float, float] = (1.0, 1.0)  # height and width in units of the chosen size
    margin: float = 0.0
    gray: bool = False
    scene: int | None = None  # seed of the place; None is the person's own laboratory
    blink: bool = True

    @property
    def files(self) -> list[str]:
        """The paths of its frames in order, or of its one file."""
        return [self.path.format(self.first + i) for i in range(self.frames)] if "{" in self.path else [self.path]

    def cropped(self) -> "Shot":
        """The same without background, if it has some."""
        return replace(self, shape=(1.0, 1.0), margin=0.0) if self.margin == MARGIN else self


MARGIN = 0.8  # around the face, in faces, of corpora that are released with their background
Times = tuple[int, int, int, int]  # frames, onset, apex, offset: a number of frames and three indices
Table = list[list[object]]
ACTORS = 2000  # at most: a new face takes as long to draw as sixty frames of a known one


def scenery(width: float, height: float) -> dict[str, object]:
    """Shape and margin of a frame in these proportions that shows the background, the face in it as large as a crop."""
    return {"shape": (1 + MARGIN, (1 + MARGIN) * width / height), "margin": MARGIN}


@dataclass(slots=True)
class Layout:
    """What a corpus's folder holds: shots, sheets (path → text, rows, or rows of each named sheet), empty folders."""

    shots: list[Shot]
    sheets: dict[str, str | Table | dict[str, Table]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Take:
    """One clip before its place on disk is known: who shows what, by which AUs, and when (indices of frames)."""

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
        return tuple(self.first + i for i in self.times[1:])

    def shot(self, path: str, fps: float, **how: object) -> Shot:
        """The shot of this take whose frames become `path`."""
        frames, onset, apex, offset = self.times
        return Shot(
            path,
            self.person,
            number(self.person, path),
            self.display.aus,
            self.display.sides,
            fps,
            frames,
            onset,
            apex,
            offset,
            self.first,
            **how,
        )


def person(seed: int, corpus: str, subject: str) -> int:
    """The seed of a subject's face."""
    return number("person", seed, corpus, subject)


def micro_times(rng: np.random.Generator, fps: float, lead: int = 3) -> Times:
    """Frames, onset, apex, offset of a micro-expression of .18 to .5 s, `lead` frames of the neutral face around it."""
    seconds = 0.18 + 0.32 * rng.beta(1.4, 2.6)
    length = max(6, round(seconds * fps))
    apex = lead + min(length - 2, max(2, round(length * rng.uniform(0.35, 0.6))))
    return length + 2 * lead, lead, apex, lead + length - 1


def macro_times(rng: np.random.Generator, low: int, high: int) -> Times:
    """Frames, onset, apex, offset of a whole macro-expression of `low` to `high` frames."""
    frames = int(rng.integers(low, high + 1))
    onset, apex = frames // 8, round(frames * rng.uniform(0.4, 0.7))
    return frames, onset, apex, frames - 1


def rising_times(rng: np.random.Generator, low: int, high: int) -> Times:
    """Frames, onset, apex, offset of a sequence from neutral to its peak, which is the last frame."""
    frames = int(rng.integers(low, high + 1))
    return frames, 0, frames - 1, frames - 1


def takes(
    corpus: str,
    pairs: Sequence[tuple[str, str]],
    times: Callable[[np.random.Generator], Times],
    seed: int,
    *,
    macro: bool = False,
    units: Sequence[Sequence[int]] | None = None,
    avoid: Sequence[Collection[int]] | None = None,
) -> list[Take]:
    """A take for each (subject, emotion); AUs are those of `units`, or drawn by habit without those of `avoid`."""
    made, habits = [], {}
    for i, (subject, emotion) in enumerate(pairs):
        who = person(seed, corpus, subject)
        habit = habits.setdefault(who, Habits(who))
        rng = generator("take", seed, corpus, macro, i)
        when = times(rng)
        aus = units[i] if units else habit.choose(emotion, rng, macro, avoid[i] if avoid else ())
        made.append(Take(subject, emotion, who, habit.show(emotion, aus, rng, macro), when))
    return made


def spared(emotions: Sequence[str], aus: Collection[int]) -> list[float]:
    """Each clip's chance to be one that shows none of the AUs: larger where its emotion is often shown without them."""
    weights = [1.05 - min(1, sum(likelihood(emotion).get(au, 0) for au in aus)) for emotion in emotions]
    return [weight / sum(weights) for weight in weights]


def fitted(
    corpus: str,
    pairs: Sequence[tuple[str, str]],
    times: Callable[[np.random.Generator], Times],
    seed: int,
    counts: Mapping[int, int],
    shared: Collection[int],
    bare: Collection[int],
    blank: Collection[int] = (),
) -> list[tuple[int, ...]]:
    """The AUs of each (subject, emotion), wished for by habit and fitted to the totals: see `fit_units`."""
    bare = set(bare)
    wished = takes(corpus, pairs, times, seed, avoid=[shared if i in bare else () for i in range(len(pairs))])
    wishes = [tuple(clip.display.aus) for clip in wished]
    likely = [likelihood(emotion) for _, emotion in pairs]
    rng = generator("fit", corpus, seed)
    units = fit_units(wishes, likely, counts, rng, shared=shared, bare=bare, blank=blank)
    return [wishes[i] if i in blank else aus for i, aus in enumerate(units)]


def thin(rows: list, scale: str | float, key: Callable[[object], str]) -> list:
    """All rows at "full"; at a share, the rows of that share of the people (`key(row)`), in the order they appear."""
    if isinstance(scale, str):
        return rows
    people = list(dict.fromkeys(map(key, rows)))
    kept = set(people[: math.ceil(len(people) * scale)])
    return [row for row in rows if key(row) in kept]


def scaled(counts: Mapping[str, int], scale: str | float) -> dict[str, int]:
    """The counts, at a share that share of each, rounded up."""
    return {key: n if isinstance(scale, str) else math.ceil(n * scale) for key, n in counts.items()}


def wild(corpus: str, counts: Mapping[str, int], frames: tuple[int, int], seed: int) -> list[Take]:
    """Macro-expressions out of films, in random order, an actor for about four clips, for more once ACTORS play."""
    emotions = [emotion for emotion, n in counts.items() for _ in range(n)]
    rng = generator("wild", corpus, seed)
    rng.shuffle(emotions)
    actors = rng.integers(0, min(max(7, len(emotions) // 4), ACTORS), len(emotions))
    pairs = [(f"actor {actor}", emotion) for actor, emotion in zip(actors, emotions, strict=True)]
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


def objective_class(aus: set[int]) -> int:
    """Seven classes by AUs alone, I happiness to VII other, after the rules of the 2018 relabelling in short form."""
    if aus <= {6, 7, 12, 25} and 12 in aus:
        return 1
    if aus <= {1, 2, 5, 25, 26} and aus & {1, 2, 5, 25}:
        return 2
    if aus <= {4, 7, 23, 43, 5} and aus & {4, 23, 7}:
        return 3
    if aus & {9, 10} and aus <= {4, 7, 9, 10, 17}:
        return 4
    if 15 in aus and aus <= {1, 4, 6, 15, 17}:
        return 5
    if aus & {20} or {1, 2, 4} <= aus:
        return 6
    return 7
