"""Named label spaces: corpora + classes, or corpora + action units."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from .corpora import aus as codings
from .corpora import emotionet
from .protocols import Fold, ProtocolError, holdout, kfold, loco, loso, with_validation

LEAVE_CORPUS_OUT = "leave one corpus out"  # of those of the task's corpora that are there, two at least
HALVES = "two halves"  # of the people, each tested by what is learned from some of the other
# Name → folds of samples for a seed.
PROTOCOLS: dict[str, Callable[[pd.DataFrame, int], list[Fold]]] = {
    "loso": lambda samples, seed: loso(samples),
    LEAVE_CORPUS_OUT: lambda samples, seed: loco(samples),
    HALVES: lambda samples, seed: kfold(samples, 2, seed),
    "5-fold": lambda samples, seed: kfold(samples, 5, seed),
    "4-fold with validation": lambda samples, seed: kfold(samples, 4, seed, validation=True),
    "holdout 15000/20722": lambda samples, seed: holdout(samples, 15000 / 20722, seed),
}
EDITIONS = {"CASME2": "2014", "CASME3": "v2"}  # corpus → the edition whose labels a task means, unless it names another


@dataclass(frozen=True, eq=False)
class Task:
    """Which samples of which corpora, under which labels, protocol and metric."""

    name: str
    title: str
    corpora: tuple[str, ...]
    classes: tuple[str, ...] = ()
    expected: Mapping[str, int] = field(default_factory=dict)  # corpus → number of samples printed
    _: KW_ONLY
    source: str = "release"  # where they are printed
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # corpus or "*" → see `classes_of`
    aus: tuple[int, ...] = ()  # units whose presence is the target; a sample has one at least (EmotioNet: one scored)
    drop_undecided: bool = False  # leave out samples where one of `aus` is coded only as one of several alternatives
    excluded: Mapping[str, str] = field(default_factory=dict)  # sample → why it is left out
    positives: int = 0  # a unit is scored on those corpora alone that have as many samples with it
    apex_after_onset: bool = False  # leave out samples with the apex at the onset: nothing moves between the two
    edition: Mapping[str, str] = field(default_factory=lambda: EDITIONS)  # read where it is found
    protocol: str = "loso"  # "": the task is trained on only
    metric: str = "accuracy"

    @property
    def outputs(self) -> list[str]:
        """The names of a network's outputs for the task: classes, or action units."""
        return list(self.classes) or [f"AU{au}" for au in self.aus]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics by which the task can be scored; those in which methods are compared come first."""
        return ("f1_macro", "f1_binary", "accuracy") if self.aus else ("uf1", "uar", "accuracy")

    def classes_of(self, corpus: str) -> Mapping[str, str]:
        """A corpus's emotion → class, by default its own words; empty where the emotion does not matter."""
        return self.labels.get(corpus) or self.labels.get("*") or same(*self.classes)

    def missing_corpora(self, there: Collection[str]) -> list[str]:
        """The corpora that the task needs beside those that are there; two are enough where one is left out in turn."""
        if self.protocol == LEAVE_CORPUS_OUT and len(set(self.corpora) & set(there)) > 1:
            return []
        return [corpus for corpus in self.corpora if corpus not in there]

    def select(self, samples: pd.DataFrame) -> pd.DataFrame:
        """The task's samples sorted by id, with `target`: class number, or per unit 1, 0 and -1 (not scored)."""
        chosen = samples[samples["corpus"].isin(self.corpora) & ~samples["sample"].isin(list(self.excluded))]
        if self.apex_after_onset:
            chosen = chosen[chosen["apex"] > chosen["onset"]]
        columns = (chosen[name] for name in ("corpus", "emotion", "aus", "au_codes"))
        targets = [self._target(*row) for row in zip(*columns, strict=True)]
        chosen = chosen.assign(target=pd.Series(targets, chosen.index, dtype="object")).dropna(subset="target")
        if not self.aus:
            chosen["target"] = chosen["target"].astype("int64")
        return chosen.sort_values("sample", ignore_index=True)

    def _target(self, corpus: str, emotion: str, aus: tuple[int, ...], codes: str) -> int | tuple[int, ...] | None:
        classes = self.classes_of(corpus)
        if classes and emotion not in classes:
            return None
        if not self.aus:
            return self.classes.index(classes[emotion])
        if corpus == emotionet.NAME:
            values = emotionet.scored(codes)
            target = tuple(values.get(unit, -1) for unit in self.aus)
            return target if max(target) >= 0 else None
        if self.drop_undecided and set(codings.parse(codes).undecided()) & set(self.aus):
            return None
        target = tuple(int(unit in aus) for unit in self.aus)
        return target if any(target) else None

    def scored(self, samples: pd.DataFrame) -> pd.Series:
        """The targets of all the task's samples as they are scored: -1 for a unit where its corpus has too few."""
        if not self.positives:
            return samples["target"]
        target = np.array(samples["target"].tolist())
        for corpus in set(samples["corpus"]):
            rows = (samples["corpus"] == corpus).to_numpy()
            target[np.ix_(rows, (target[rows] == 1).sum(axis=0) < self.positives)] = -1
        return pd.Series([tuple(row) for row in target.tolist()], index=samples.index, dtype="object")

    def folds(self, samples: pd.DataFrame, seed: int = 0, validation: bool = False) -> list[Fold]:
        """Folds of the task's own protocol over selected samples; with `validation` each has a validation part, taken
        from its training subjects where the protocol has none. Raises ProtocolError if the task has no protocol."""
        if not self.protocol:
            raise ProtocolError(f"{self.name} is trained on only: it has no protocol")
        folds = PROTOCOLS[self.protocol](samples, seed)
        if validation and not any(fold.val for fold in folds):
            return with_validation(folds, samples, seed=seed)
        return folds

    def remarks(self, editions: Mapping[str, str]) -> list[str]:
        """Remarks for a reader of results on these `editions` (corpus → edition): those other than the task's own."""
        return [
            f"{self.name}: {corpus} is read from its {editions[corpus]} sheet; the task's labels are those of {edition}"
            for corpus, edition in self.edition.items()
            if corpus in editions and editions[corpus] != edition
        ]


def same(*words: str) -> dict[str, str]:
    """Labels under the corpus's own words."""
    return {word: word for word in words}


def macro(task: str, classes: tuple[str, ...], labels: Mapping[str, str] | None = None, **others: str) -> Task:
    """Macro-expressions in the classes of a micro-expression task, by `labels` or their own words and `others`."""
    title = f"macro-expressions in the classes of {task}"
    words = labels or same(*classes) | others
    return Task(f"macro-{task}", title, LABORATORY, classes, labels={"*": words}, protocol="")


def units(name: str, title: str, corpus: str, samples: int, aus: tuple[int, ...], **others: Any) -> Task:
    """A task of 2021 on the action units of one corpus, in four folds."""
    how: dict[str, Any] = {"source": "printed in 2021", "protocol": "4-fold with validation", "metric": "f1_binary"}
    return Task(name, title, (corpus,), expected={corpus: samples}, aus=aus, **how, **others)


def casme3(
    number: str, classes: tuple[str, ...], samples: int, moving: int | None, **labels: Mapping[str, str]
) -> tuple[Task, Task]:
    """A task on CAS(ME)³, and the same on its clips with an apex after the onset."""
    name, title, expected = f"casme3-{len(classes)}", f"CAS(ME)³, {number} classes", {"CASME3": samples}
    task = Task(name, title, ("CASME3",), classes, expected, source="label list v2", labels=labels)
    title, expected = f"{title}, clips with an apex after the onset", {"CASME3": moving} if moving else {}
    return task, replace(task, name=f"{name}-apex", title=title, expected=expected, apex_after_onset=True)


VALENCE = ("negative", "positive", "surprise")
NEGATIVE = ("anger", "angry", "contempt", "disgust", "fear", "sad", "sadness", "repression", "negative")
BY_VALENCE = dict.fromkeys(NEGATIVE, "negative") | dict.fromkeys(("happy", "happiness", "positive"), "positive")
BY_VALENCE |= same("surprise")
CASME2_VALENCE = {word: BY_VALENCE[word] for word in ("happiness", "disgust", "repression", "surprise")}
CASME2_FIVE = ("happiness", "surprise", "disgust", "repression", "others")
SAMM_FIVE = ("happiness", "anger", "contempt", "surprise", "other")
SAMM_SEVEN = ("happiness", "surprise", "disgust", "anger", "fear", "contempt", "sadness")
MMEW_FOUR = ("happiness", "disgust", "surprise", "others")
MMEW_SIX = ("happiness", "disgust", "surprise", "sadness", "anger", "fear")
MMEW_SIX_OTHERS = ("happiness", "disgust", "surprise", "fear", "sadness", "others")
CASME3_FOUR = (*VALENCE, "others")
CASME3_SEVEN = ("anger", "disgust", "fear", "happy", "others", "sad", "surprise")
CKPLUS_SEVEN = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
WILD_SEVEN = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
AU8 = (1, 2, 4, 7, 12, 14, 15, 17)
CASME2, SAMM, SMIC, MMEW, CASME3 = ("CASME2",), ("SAMM",), ("SMIC",), ("MMEW",), ("CASME3",)
LABORATORY, WILD = ("CK+", "MMI", "Oulu-CASIA"), ("DFEW", "FERV39k", "AFEW")
NO_APEX = {
    "CASME2/sub04/EP12_01f": "the release prints no apex",
    "CASME2/sub05/EP09_05f": "apex and onset are the same frame",
}

_TASKS = (
    Task("casme2-5", "CASME II, five classes", CASME2, CASME2_FIVE, {"CASME2": 246}, source="2014 sheet"),
    Task(
        "casme2-5-apex",
        "CASME II, five classes, clips with an apex after the onset",
        CASME2,
        CASME2_FIVE,
        {"CASME2": 244},
        source="2014 sheet",
        excluded=NO_APEX,
    ),
    Task(
        "casme2-5-2019",
        "CASME II, five classes of 2019",
        CASME2,
        CASME2_FIVE,
        {"CASME2": 249},
        source="2019 sheet",
        edition={"CASME2": "2019"},
    ),
    Task(
        "casme2-5-halves",
        "CASME II, five classes, two halves of its people",
        CASME2,
        CASME2_FIVE,
        {"CASME2": 244},
        source="2014 sheet",
        excluded=NO_APEX,
        protocol=HALVES,
        metric="uf1",
    ),
    Task(
        "casme2-3",
        "CASME II, three classes",
        CASME2,
        VALENCE,
        {"CASME2": 145},
        source="MEGC 2019",
        labels={"*": CASME2_VALENCE},
        excluded=NO_APEX,
    ),
    Task("samm-3", "SAMM, three classes", SAMM, VALENCE, {"SAMM": 133}, source="MEGC 2019", labels={"*": BY_VALENCE}),
    Task("samm-5", "SAMM, five classes", SAMM, SAMM_FIVE, {"SAMM": 136}),
    Task("samm-7", "SAMM, seven classes, without other", SAMM, SAMM_SEVEN, {"SAMM": 133}),
    Task("smic-3", "SMIC-HS, three classes", SMIC, VALENCE, {"SMIC": 164}),
    Task("mmew-4", "MMEW, four classes", MMEW, MMEW_FOUR, {"MMEW": 263}),
    Task("mmew-6", "MMEW, six classes, without others", MMEW, MMEW_SIX, {"MMEW": 234}, protocol="5-fold"),
    Task("mmew-6-others", "MMEW, six classes, with others, without anger", MMEW, MMEW_SIX_OTHERS, {"MMEW": 292}),
    *casme3("three", VALENCE, 699, None, CASME3=BY_VALENCE),
    *casme3("four", CASME3_FOUR, 860, 805, CASME3=BY_VALENCE | same("others")),
    *casme3("seven", CASME3_SEVEN, 860, 805),
    Task(
        "cde-3",
        "CASME II, SAMM and SMIC-HS pooled, three classes",
        ("CASME2", "SAMM", "SMIC"),
        VALENCE,
        {"CASME2": 145, "SAMM": 133, "SMIC": 164},
        source="MEGC 2019",
        labels={"CASME2": CASME2_VALENCE, "*": BY_VALENCE},
        excluded=NO_APEX,
        metric="uf1",
    ),
    units("casme2-au8", "CASME II, eight action units", "CASME2", 243, AU8),
    Task(
        "casme2-au8-halves",
        "CASME II, eight action units, two halves of its people",
        CASME2,
        expected={"CASME2": 243},
        source="printed in 2021",
        aus=AU8,
        protocol=HALVES,
        metric="f1_macro",
    ),
    units(
        "casme-au4",
        "CASME, four action units",
        "CASME",
        124,
        (1, 4, 9, 14),
        labels={"*": same("disgust", "repression", "surprise", "tense")},
    ),
    units("samm-au4", "SAMM, four action units", "SAMM", 101, (2, 4, 7, 12), drop_undecided=True),
    Task(
        "emotionet-au12",
        "EmotioNet, twelve action units",
        ("EmotioNet",),
        expected={"EmotioNet": 20722},
        source="printed in 2021",
        aus=(1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43),
        protocol="holdout 15000/20722",
        metric="f1_macro",
    ),
    Task(
        "corpora-3",
        "five corpora, each tested by what is learned from the others, three classes",
        ("CASME2", "CASME3", "MMEW", "SAMM", "SMIC"),
        VALENCE,
        labels={"CASME2": CASME2_VALENCE, "*": BY_VALENCE},
        excluded=NO_APEX,
        protocol=LEAVE_CORPUS_OUT,
        metric="uf1",
    ),
    Task(
        "corpora-au8",
        "five corpora, each tested by what is learned from the others, eight action units",
        ("CASME", "CASME2", "CASME3", "MMEW", "SAMM"),
        aus=AU8,
        drop_undecided=True,
        positives=10,
        protocol=LEAVE_CORPUS_OUT,
        metric="f1_macro",
    ),
    Task("ckplus-7", "CK+, seven classes", ("CK+",), CKPLUS_SEVEN, {"CK+": 327}, protocol=""),
    Task("wild-7", "DFEW, FERV39k, AFEW, seven classes", WILD, WILD_SEVEN, protocol=""),
    # Macro-expressions in the classes of a micro-expression task; a class without macro-expressions stays empty.
    Task("macro-3", "macro-expressions in three classes", LABORATORY, VALENCE, labels={"*": BY_VALENCE}, protocol=""),
    macro("casme3-4", CASME3_FOUR, BY_VALENCE),
    macro("casme2-5", CASME2_FIVE, happy="happiness"),
    macro("samm-5", SAMM_FIVE, happy="happiness"),
    macro("samm-7", SAMM_SEVEN, happy="happiness"),
    macro("mmew-4", MMEW_FOUR, happy="happiness"),
    macro("casme3-7", CASME3_SEVEN, happiness="happy", sadness="sad"),
)
TASKS = {task.name: task for task in _TASKS}
