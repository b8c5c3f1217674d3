"""Named label spaces: corpora + classes, or corpora + action units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from .corpora import aus as codings
from .corpora import emotionet
from .protocols import Fold, ProtocolError, holdout, kfold, loso, with_validation

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
    AU task shows one of them at least; of EmotioNet, has one of them scored. `excluded`: sample → reason; with
    `apex_after_onset` also those whose apex is their onset, that do not move between the two. `expected`:
    corpus → number of samples printed. `edition`: corpus → the edition whose labels are meant, read where it is there.
    `protocol`: "" where the task is trained on only."""

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
    apex_after_onset: bool = False
    expected: Mapping[str, int] = field(default_factory=dict)
    source: str = "release"

    @property
    def outputs(self) -> list[str]:
        """The names of what a network for the task says: classes, or action units."""
        return list(self.classes) or [f"AU{au}" for au in self.aus]

    def select(self, samples: pd.DataFrame, *, alternatives: str | None = None) -> pd.DataFrame:
        """The task's samples sorted by id, with `target`: class number, or per unit 1, 0 and -1 (not scored).

        `alternatives`: "count" units coded as one of several, or "drop" samples with a unit so undecided."""
        chosen = samples[samples["corpus"].isin(self.corpora) & ~samples["sample"].isin(list(self.excluded))]
        if self.apex_after_onset:
            chosen = chosen[(chosen["apex"] > chosen["onset"]).fillna(False).astype(bool)]
        rule = alternatives or self.alternatives
        columns = (chosen[name] for name in ("corpus", "emotion", "aus", "au_codes"))
        targets = [self._target(*row, rule) for row in zip(*columns, strict=True)]
        keep = pd.Series([target is not None for target in targets], index=chosen.index, dtype=bool)
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
        if corpus == emotionet.NAME:
            values = emotionet.scored(codes)
            target = tuple(values.get(unit, -1) for unit in self.aus)
            return target if max(target) >= 0 else None
        if rule == "drop" and set(codings.parse(codes).undecided()) & set(self.aus):
            return None
        target = tuple(int(unit in aus) for unit in self.aus)
        return target if any(target) else None

    def folds(self, samples: pd.DataFrame, seed: int = 0, validation: bool = False) -> list[Fold]:
        """Folds of the task's own protocol over selected samples; with `validation` each has a validation part, of its
        training subjects where the protocol has none. Raises ProtocolError where the task has no protocol."""
        if not self.protocol:
            raise ProtocolError(f"{self.name} is trained on only: it has no protocol")
        folds = PROTOCOLS[self.protocol](samples, seed)
        return with_validation(folds, samples, seed=seed) if validation and not any(f.val for f in folds) else folds

    def remarks(self, samples: pd.DataFrame) -> list[str]:
        """What a reader of results on these samples must know: editions other than the task's own."""
        return [
            f"{self.name}: {corpus} is read from its {found} sheet; the task's labels are those of {edition}"
            for corpus, edition in self.edition.items()
            for found in sorted(set(samples["edition"][samples["corpus"] == corpus]))
            if found != edition
        ]


def same(*words: str) -> dict[str, str]:
    """Labels under the corpus's own words."""
    return {word: word for word in words}


VALENCE = ("negative", "positive", "surprise")
NEGATIVE = ("anger", "angry", "contempt", "disgust", "fear", "sad", "sadness", "repression", "negative")
POSITIVE = ("happy", "happiness", "positive")
BY_VALENCE = dict.fromkeys(NEGATIVE, "negative") | dict.fromkeys(POSITIVE, "positive") | same("surprise")
CASME2_VALENCE = {word: BY_VALENCE[word] for word in ("happiness", "disgust", "repression", "surprise")}
CASME2_FIVE = ("happiness", "surprise", "disgust", "repression", "others")
SAMM_FIVE = ("happiness", "anger", "contempt", "surprise", "other")
SAMM_SEVEN = ("happiness", "surprise", "disgust", "anger", "fear", "contempt", "sadness")
MMEW_SIX = ("happiness", "disgust", "surprise", "sadness", "anger", "fear")
MMEW_SIX_OTHERS = ("happiness", "disgust", "surprise", "fear", "sadness", "others")
MMEW_FOUR = ("happiness", "disgust", "surprise", "others")
CASME3_SEVEN = ("anger", "disgust", "fear", "happy", "others", "sad", "surprise")
CKPLUS_SEVEN = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
WILD_SEVEN = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
LABORATORY, WILD = ("CK+", "MMI", "Oulu-CASIA"), ("DFEW", "FERV39k", "AFEW")
TO_HAPPINESS = {"happy": "happiness", "happiness": "happiness"}
NO_APEX = {
    "CASME2/sub04/EP12_01f": "the release prints no apex",
    "CASME2/sub05/EP09_05f": "apex and onset are the same frame",
}


def _casme3(
    name: str, title: str, classes: tuple[str, ...], labels: Mapping[str, str], expected: Mapping[bool, int]
) -> list[Task]:
    """The task on all clips of CAS(ME)³, and `name`-apex without those whose first frame is the maximum already."""
    return [
        Task(
            name + "-apex" * apex,
            f"CAS(ME)³, {title}" + ", clips with an apex after the onset" * apex,
            ("CASME3",),
            classes,
            {"*": labels},
            apex_after_onset=apex,
            edition={"CASME3": "v2"},
            source="label list v2",
            expected={"CASME3": expected[apex]} if apex in expected else {},
        )
        for apex in (False, True)
    ]


_TASKS = (
    Task(
        "casme2-5",
        "CASME II, five classes",
        ("CASME2",),
        CASME2_FIVE,
        {"*": same(*CASME2_FIVE)},
        expected={"CASME2": 246},
        source="2014 sheet",
        edition={"CASME2": "2014"},
    ),
    Task(
        "casme2-5-apex",
        "CASME II, five classes, clips with an apex after the onset",
        ("CASME2",),
        CASME2_FIVE,
        {"*": same(*CASME2_FIVE)},
        excluded=NO_APEX,
        expected={"CASME2": 244},
        source="2014 sheet",
        edition={"CASME2": "2014"},
    ),
    Task(
        "casme2-5-2019",
        "CASME II, five classes of 2019",
        ("CASME2",),
        CASME2_FIVE,
        {"*": same(*CASME2_FIVE)},
        expected={"CASME2": 249},
        source="2019 sheet",
        edition={"CASME2": "2019"},
    ),
    Task(
        "casme2-3",
        "CASME II, three classes",
        ("CASME2",),
        VALENCE,
        {"*": CASME2_VALENCE},
        excluded=NO_APEX,
        expected={"CASME2": 145},
        source="MEGC 2019",
        edition={"CASME2": "2014"},
    ),
    Task(
        "samm-3",
        "SAMM, three classes",
        ("SAMM",),
        VALENCE,
        {"*": BY_VALENCE},
        expected={"SAMM": 133},
        source="MEGC 2019",
    ),
    Task("samm-5", "SAMM, five classes", ("SAMM",), SAMM_FIVE, {"*": same(*SAMM_FIVE)}, expected={"SAMM": 136}),
    Task(
        "samm-7",
        "SAMM, seven classes, without other",
        ("SAMM",),
        SAMM_SEVEN,
        {"*": same(*SAMM_SEVEN)},
        expected={"SAMM": 133},
    ),
    Task("smic-3", "SMIC-HS, three classes", ("SMIC",), VALENCE, {"*": same(*VALENCE)}, expected={"SMIC": 164}),
    Task("mmew-4", "MMEW, four classes", ("MMEW",), MMEW_FOUR, {"*": same(*MMEW_FOUR)}, expected={"MMEW": 263}),
    Task(
        "mmew-6",
        "MMEW, six classes, without others",
        ("MMEW",),
        MMEW_SIX,
        {"*": same(*MMEW_SIX)},
        protocol="5-fold",
        expected={"MMEW": 234},
    ),
    Task(
        "mmew-6-others",
        "MMEW, six classes, with others, without anger",
        ("MMEW",),
        MMEW_SIX_OTHERS,
        {"*": same(*MMEW_SIX_OTHERS)},
        expected={"MMEW": 292},
    ),
    *_casme3("casme3-3", "three classes", VALENCE, BY_VALENCE, {False: 699}),
    *_casme3("casme3-4", "four classes", (*VALENCE, "others"), BY_VALENCE | same("others"), {False: 860, True: 805}),
    *_casme3("casme3-7", "seven classes", CASME3_SEVEN, same(*CASME3_SEVEN), {False: 860, True: 805}),
    Task(
        "cde-3",
        "CASME II, SAMM and SMIC-HS pooled, three classes",
        ("CASME2", "SAMM", "SMIC"),
        VALENCE,
        {"CASME2": CASME2_VALENCE, "*": BY_VALENCE},
        metric="uf1",
        excluded=NO_APEX,
        expected={"CASME2": 145, "SAMM": 133, "SMIC": 164},
        source="MEGC 2019",
        edition={"CASME2": "2014"},
    ),
    Task(
        "casme2-au8",
        "CASME II, eight action units",
        ("CASME2",),
        aus=(1, 2, 4, 7, 12, 14, 15, 17),
        protocol="4-fold with validation",
        metric="f1_binary",
        expected={"CASME2": 243},
        source="printed in 2021",
        edition={"CASME2": "2014"},
    ),
    Task(
        "casme-au4",
        "CASME, four action units",
        ("CASME",),
        aus=(1, 4, 9, 14),
        labels={"*": same("disgust", "repression", "surprise", "tense")},
        protocol="4-fold with validation",
        metric="f1_binary",
        expected={"CASME": 124},
        source="printed in 2021",
    ),
    Task(
        "samm-au4",
        "SAMM, four action units",
        ("SAMM",),
        aus=(2, 4, 7, 12),
        alternatives="drop",
        protocol="4-fold with validation",
        metric="f1_binary",
        expected={"SAMM": 101},
        source="printed in 2021",
    ),
    Task(
        "emotionet-au12",
        "EmotioNet, twelve action units",
        ("EmotioNet",),
        aus=(1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43),
        protocol="holdout 15000/20722",
        metric="f1_macro",
        expected={"EmotioNet": 20722},
        source="printed in 2021",
    ),
    Task(
        "ckplus-7",
        "CK+, seven classes",
        ("CK+",),
        CKPLUS_SEVEN,
        {"*": same(*CKPLUS_SEVEN)},
        protocol="",
        expected={"CK+": 327},
    ),
    Task("wild-7", "DFEW, FERV39k, AFEW, seven classes", WILD, WILD_SEVEN, {"*": same(*WILD_SEVEN)}, protocol=""),
    # Macro-expressions in the classes of a micro-expression task; a class that they lack stays empty.
    Task("macro-3", "macro-expressions in three classes", LABORATORY, VALENCE, {"*": BY_VALENCE}, protocol=""),
    Task(
        "macro-casme2-5",
        "macro-expressions in the classes of casme2-5",
        LABORATORY,
        CASME2_FIVE,
        {"*": TO_HAPPINESS | same("surprise", "disgust")},
        protocol="",
    ),
    Task(
        "macro-samm-7",
        "macro-expressions in the classes of samm-7",
        LABORATORY,
        SAMM_SEVEN,
        {"*": TO_HAPPINESS | same(*SAMM_SEVEN)},
        protocol="",
    ),
)
TASKS = {task.name: task for task in _TASKS}
