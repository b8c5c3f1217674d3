"""Named label spaces: corpora + classes, or corpora + action units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from .corpora import aus as codings
from .protocols import Fold, holdout, kfold, loso

PROTOCOLS = {
    "loso": lambda samples, seed: loso(samples),
    "5-fold": lambda samples, seed: kfold(samples, 5, seed),
    "4-fold with validation": lambda samples, seed: kfold(samples, 4, seed, validation=True),
    "holdout 15000/20722": lambda samples, seed: holdout(samples, 15000 / 20722, seed),
}


@dataclass(frozen=True, eq=False)
class Task:
    """Which samples of which corpora, under which labels, protocol and metric.

    `labels`: corpus (or "*") → the corpus's emotion → class. `aus`: units whose presence is the target; a sample of an
    AU task shows one of them at least. `excluded`: sample → reason. `expected`: corpus → number of samples printed."""

    name: str
    title: str
    corpora: tuple[str, ...]
    classes: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    aus: tuple[int, ...] = ()
    protocol: str = "loso"
    metric: str = "accuracy"
    alternatives: str = "count"
    edition: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def select(self, samples: pd.DataFrame, *, alternatives: str | None = None) -> pd.DataFrame:
        """The task's samples sorted by id, with `target`: class number, or per unit 1, 0 and -1 (not scored).

        `alternatives`: "count" units coded as one of several, or "drop" samples with a unit so undecided."""
        chosen = samples[samples["corpus"].isin(self.corpora) & ~samples["sample"].isin(list(self.excluded))]
        rule = alternatives or self.alternatives
        targets = [self._target(*row, rule) for row in zip(*(chosen[c] for c in (
            "corpus", "emotion", "aus", "au_codes")), strict=True)]
        keep = [target is not None for target in targets]
        chosen = chosen[keep].assign(target=pd.Series([t for t in targets if t is not None], dtype="object").to_numpy())
        if not self.aus:
            chosen["target"] = chosen["target"].astype("int64")
        return chosen.sort_values("sample", ignore_index=True)

    def _target(self, corpus: str, emotion: str, aus: tuple[int, ...], codes: str, rule: str) -> object:
        labels = self.labels.get(corpus, self.labels.get("*"))
        if labels is not None and emotion not in labels:
            return None
        if not self.aus:
            return self.classes.index(labels[emotion])
        if rule == "drop" and set(codings.parse(codes).undecided()) & set(self.aus):
            return None
        target = tuple(int(unit in aus) for unit in self.aus)
        return target if any(target) else None

    def folds(self, samples: pd.DataFrame, seed: int = 0) -> list[Fold]:
        """Folds of the task's own protocol over selected samples."""
        return PROTOCOLS[self.protocol](samples, seed)

    def remarks(self, samples: pd.DataFrame) -> list[str]:
        """What a reader of results on these samples must know: editions other than the task's own."""
        return [
            f"{self.name}: {corpus} is read from its {found} sheet; the task's labels are those of {edition}"
            for corpus, edition in self.edition.items()
            for found in sorted(set(samples["edition"][samples["corpus"] == corpus])) if found != edition
        ]


def same(*words: str) -> dict[str, str]:
    """Labels under the corpus's own words."""
    return {word: word for word in words}


VALENCE = ("negative", "positive", "surprise")
CASME2_FIVE = ("happiness", "surprise", "disgust", "repression", "others")
SAMM_FIVE = ("happiness", "anger", "contempt", "surprise", "other")
MMEW_SIX = ("happiness", "disgust", "surprise", "sadness", "anger", "fear")
CASME2_VALENCE = {"happiness": "positive", "disgust": "negative", "repression": "negative", "surprise": "surprise"}
CDE_EXCLUDED = {
    "CASME2/sub04/EP12_01f": "the release prints no apex",
    "CASME2/sub05/EP09_05f": "apex and onset are the same frame",
}

_TASKS = (
    Task(
        "casme2-5", "CASME II, five classes", ("CASME2",), CASME2_FIVE, {"*": same(*CASME2_FIVE)},
        expected={"CASME2": 246}, source="2014 sheet; 249 in the 2019 sheet", edition={"CASME2": "2014"},
    ),
    Task(
        "samm-5", "SAMM, five classes", ("SAMM",), SAMM_FIVE, {"*": same(*SAMM_FIVE)},
        expected={"SAMM": 136}, source="27 subjects",
    ),
    Task(
        "mmew-6", "MMEW, six classes, without others", ("MMEW",), MMEW_SIX, {"*": same(*MMEW_SIX)},
        protocol="5-fold", expected={"MMEW": 234},
    ),
)
TASKS = {task.name: task for task in _TASKS}
