"""Display of emotions on synthetic faces: combinations of action units, people's habits, intensities, sides."""

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

# Combinations and how often each is seen, the leading AU first. As in spontaneous data no AU belongs to one emotion:
# 4 and 7 serve disgust, anger, fear, sadness and the mixed class; 12 and 14 serve happiness, contempt and repression.
MICRO = {
    "happiness": {"12": 5, "12+6": 4, "12+25": 2, "12+6+25": 2, "12+7": 2, "6+7+12": 1, "12+14": 1},
    "disgust": {"4+7": 3, "4+9": 3, "9": 3, "10": 3, "9+7": 2, "4": 2, "10+4+7": 1, "10+17": 1, "9+10": 1},
    "surprise": {"1+2": 6, "1+2+5": 3, "2+1+25": 2, "5": 1, "1": 1, "25+26": 1, "2": 1, "5+26": 1},
    "repression": {"15": 3, "17": 3, "14": 2, "15+17": 3, "17+24": 2, "12+15": 1, "14+17": 1, "24": 1, "12+24": 1},
    "others": {"4": 6, "4+7": 4, "14": 3, "7": 2, "17": 1, "4+14": 1, "1+4": 1, "43": 1, "12+14": 1, "20": 1},
    "sadness": {"1+4": 3, "15": 3, "1+15": 2, "15+17": 2, "4+15": 2, "1+4+15": 2, "17": 1},
    "fear": {"1+4": 2, "1+2+4": 2, "20": 2, "20+25": 2, "5+20": 2, "4+5": 1, "2+20": 1},
    "anger": {"4": 5, "4+7": 4, "7": 3, "7+4+23": 2, "23": 1, "24": 1, "17+24": 1, "4+5": 1, "4+7+43": 1},
    "contempt": {"14": 5, "12": 2, "10+14": 2, "14+17": 1, "10": 1},
    "tense": {"4": 4, "14": 3, "4+14": 2, "4+7": 2, "7": 1, "24": 1, "17": 1, "43": 1},
}
MACRO = {
    "happiness": {"12+6+25": 5, "12+6": 3, "12+25": 2, "12+6+7+25+26": 2, "12": 1},
    "disgust": {"9+10+4+7": 3, "10+9+25": 2, "9+4+17": 3, "10+25": 2, "4+9+7": 2},
    "surprise": {"1+2+5+26": 5, "1+2+25+26": 3, "1+2+5+25": 2, "1+2": 1},
    "sadness": {"15+1+4": 4, "1+4+15+17": 3, "15+17": 2, "1+4+25": 1, "4+15+43": 1},
    "fear": {"20+1+2+4+5": 3, "1+2+4+5+25": 3, "20+25+1+4": 2, "5+20+26": 1},
    "anger": {"4+7+23": 4, "4+5+7+24": 3, "4+7+17+24": 2, "4+10+25": 1, "4+5+25+26": 1},
    "contempt": {"14": 4, "12+14": 2, "14+10": 1},
    "neutral": {"25": 1, "": 8, "43": 1},
}
NEIGHBOURS = {
    "happiness": "contempt",
    "disgust": "anger",
    "surprise": "fear",
    "repression": "others",
    "others": "disgust",
    "sadness": "repression",
    "fear": "surprise",
    "anger": "others",
    "contempt": "happiness",
    "tense": "others",
}
MIXED = 0.08  # how often a label's neighbour is shown: labels also depend on the film watched and on the self-report
LATERAL = (2, 10, 12, 14, 15)  # AUs that are often seen on one side
SUBDUED = 0.75  # repression is the attempt to hide
MICRO_PEAKS, MACRO_PEAKS = (0.12, 0.4), (0.5, 1.0)  # the range of peak intensities; 1 is an action's full movement


def generator(*keys: object) -> np.random.Generator:
    """The random generator of these keys, the same on every machine."""
    return np.random.default_rng([zlib.crc32(str(key).encode()) for key in keys])


def number(*keys: object) -> int:
    """A seed in 0 … 2³¹−1 made from the keys."""
    return zlib.crc32(repr(keys).encode()) & 0x7FFFFFFF


@cache
def units(combination: str) -> tuple[int, ...]:
    """`"12+6"` → (12, 6)."""
    return tuple(int(au) for au in combination.split("+") if au)


@dataclass(frozen=True, slots=True)
class Display:
    """The expression of a clip: peak intensity in 0 … 1 of each AU, and 'L' or 'R' of those on one side."""

    aus: dict[int, float]
    sides: dict[int, str]


class Habits:
    """One person's way of showing emotions: favourite combinations, expressiveness, the livelier side."""

    def __init__(self, person: int) -> None:
        self.person = person
        rng = generator("habits", person)
        self.liveliness = float(rng.uniform(0.8, 1.25))
        self.side = str(rng.choice(["L", "R"]))
        self.lopsided = float(rng.beta(1, 6))

    def choose(
        self, emotion: str, rng: np.random.Generator, macro: bool = False, avoid: Collection[int] = ()
    ) -> tuple[int, ...]:
        """A combination of AUs for the emotion, leading AU first, none of them in `avoid`."""
        if not macro and rng.random() < MIXED:
            emotion = NEIGHBOURS[emotion]
        options = [units(combination) for combination in (MACRO if macro else MICRO)[emotion]]
        weights = preferences(self.person, emotion, macro)
        fits = [not set(option) & set(avoid) for option in options]
        if not any(fits):
            return (25,)
        weights = weights * fits
        return options[rng.choice(len(options), p=weights / weights.sum())]

    def show(self, emotion: str, aus: Collection[int], rng: np.random.Generator, macro: bool = False) -> Display:
        """Intensities and sides for a combination, the leading AU strongest."""
        low, high = MACRO_PEAKS if macro else MICRO_PEAKS
        strength = rng.beta(2.2, 2.2) * self.liveliness * (SUBDUED if emotion == "repression" else 1)
        peaks = {}
        for rank, au in enumerate(aus):
            share = strength * (1 if rank == 0 else rng.uniform(0.55, 1))
            peaks[au] = round(min(max(low + (high - low) * share, low), high), 3)
        sides = {}
        one_sided = 0.6 if emotion == "contempt" else self.lopsided
        if rng.random() < one_sided and (lateral := [au for au in aus if au in LATERAL]):
            sides[lateral[0]] = self.side if rng.random() < 0.8 else "LR".replace(self.side, "")
        return Display(peaks, sides)


@cache
def preferences(person: int, emotion: str, macro: bool) -> np.ndarray:
    """How often a person shows an emotion by each of its combinations, as weights; for reading."""
    repertoire = (MACRO if macro else MICRO)[emotion]
    taste = generator("taste", person, emotion, macro).gamma(1.5, size=len(repertoire))
    return np.array(list(repertoire.values())) * taste


def likelihood(emotion: str, macro: bool = False) -> Mapping[int, float]:
    """The share of clips with the emotion in which each AU is seen, 0 … 1."""
    repertoire = (MACRO if macro else MICRO)[emotion]
    seen: dict[int, float] = {}
    for combination, weight in repertoire.items():
        for au in units(combination):
            seen[au] = seen.get(au, 0) + weight / sum(repertoire.values())
    return seen
