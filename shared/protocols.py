"""Folds of sample ids, checked when made: no subject on two sides of a fold, every sample tested once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .errors import UserError


class ProtocolError(UserError, ValueError):
    """Folds that leak a subject, or leave a sample untested, or test it twice."""


@dataclass(frozen=True)
class Fold:
    """Sample ids, each sorted."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    val: tuple[str, ...] = ()


def loso(samples: pd.DataFrame) -> list[Fold]:
    """Leave one subject out: a fold a subject. On pooled corpora this is the composite protocol (MEGC 2019)."""
    return check([_fold(samples, subject, [subject]) for subject in sorted(set(samples["subject"]))], samples)


def loco(samples: pd.DataFrame) -> list[Fold]:
    """Leave one corpus out: a fold a corpus, which trains on all the others. Raises ProtocolError for a single one."""
    subjects = samples.groupby("corpus")["subject"].unique()
    return check([_fold(samples, corpus, people) for corpus, people in sorted(subjects.items())], samples)


def kfold(samples: pd.DataFrame, k: int, seed: int = 0, validation: bool = False) -> list[Fold]:
    """Subject-independent k folds of about equal numbers of samples, the same in any order of rows.

    With `validation` fold i tests and fold i+1 validates. Raises ProtocolError for fewer subjects than folds."""
    parts = _parts(samples, k, seed)
    return check(
        [_fold(samples, f"fold{i + 1}", parts[i], parts[(i + 1) % k] if validation else ()) for i in range(k)], samples
    )


def holdout(samples: pd.DataFrame, share: float, seed: int = 0) -> list[Fold]:
    """One fold that trains on about `share` of the samples and tests the rest, by subjects."""
    counts = _shuffled(samples["subject"], seed)
    tested = counts.index[counts.cumsum() > round(share * len(samples))]
    fold = _fold(samples, "holdout", tested)
    return check([fold], samples[samples["sample"].isin(fold.test)], everyone=samples)


def with_validation(folds: Sequence[Fold], samples: pd.DataFrame, share: float = 0.2, seed: int = 0) -> list[Fold]:
    """The folds, each with a validation part: of its training subjects, in random order, until they hold at least
    `share` of the training samples or one is left. Raises ProtocolError where a fold trains on a single subject."""
    subjects = _subjects(samples)
    made = []
    for fold in folds:
        counts = _shuffled([subjects[i] for i in fold.train], [seed, *fold.name.encode()])
        if len(counts) < 2:
            raise ProtocolError(f"fold {fold.name}: a single training subject cannot be split for validation")
        before = counts.cumsum() - counts
        chosen = set(counts.index[:-1][before[:-1] < share * len(fold.train)])
        val = tuple(i for i in fold.train if subjects[i] in chosen)
        made.append(replace(fold, train=tuple(i for i in fold.train if subjects[i] not in chosen), val=val))
    return check(made, samples)


def with_people(folds: Sequence[Fold], samples: pd.DataFrame, people: int, seed: int = 0) -> list[Fold]:
    """The folds, each trained on `people` of its training subjects, in random order: few of them are among more.

    Raises ProtocolError where a fold has fewer."""
    subjects = _subjects(samples)
    made = []
    for fold in folds:
        there = _shuffled([subjects[i] for i in fold.train], [seed, *fold.name.encode()]).index
        if len(there) < people:
            what = f"fold {fold.name}: {people} people are to be trained on, and there are {len(there)}"
            raise ProtocolError(f"{what}; give a smaller --people, or --set people=")
        chosen = set(there[:people])
        made.append(replace(fold, train=tuple(i for i in fold.train if subjects[i] in chosen)))
    return check(made, samples)


def check(folds: Sequence[Fold], samples: pd.DataFrame, everyone: pd.DataFrame | None = None) -> list[Fold]:
    """The folds, when each sample is tested once, no subject is on two sides and every side but val has samples.

    `everyone` holds the samples that may train when they are more than those to be tested. Raises ProtocolError."""
    subjects = _subjects(samples if everyone is None else everyone)
    tested: dict[str, str] = {}
    for fold in folds:
        sides = {"train": fold.train, "val": fold.val, "test": fold.test}
        empty = [side for side in ("train", "test") if not sides[side]]
        if empty:
            raise ProtocolError(f"fold {fold.name}: no sample in {' and '.join(empty)} (of {len(subjects)})")
        side_of: dict[str, str] = {}
        for side, ids in sides.items():
            unknown = [i for i in ids if i not in subjects]
            if unknown:
                raise ProtocolError(f"fold {fold.name}: {unknown[0]} is not among the samples")
            for subject in {subjects[i] for i in ids}:
                if side_of.setdefault(subject, side) != side:
                    raise ProtocolError(f"fold {fold.name}: {subject} is in {side_of[subject]} and in {side}")
        for i in fold.test:
            if i in tested:
                raise ProtocolError(f"{i} is tested twice, in folds {tested[i]} and {fold.name}")
            tested[i] = fold.name
    untested = sorted(set(samples["sample"]) - set(tested))
    if untested:
        raise ProtocolError(f"{len(untested)} samples are never tested: {', '.join(untested[:5])}")
    return list(folds)


def _subjects(samples: pd.DataFrame) -> dict[str, str]:
    """Sample -> subject."""
    return dict(zip(samples["sample"], samples["subject"], strict=True))


def _shuffled(subjects: Iterable[str], seed: int | list[int]) -> pd.Series:
    """The number of samples of each subject, in random order, the same in any order of samples."""
    counts = pd.Series(list(subjects)).value_counts().sort_index()
    return counts.iloc[np.random.default_rng(seed).permutation(len(counts))]


def _parts(samples: pd.DataFrame, k: int, seed: int) -> list[list[str]]:
    """Subjects dealt to k parts: largest first, ties shuffled, each to the part with the fewest samples."""
    counts = _shuffled(samples["subject"], seed)
    if len(counts) < k:
        raise ProtocolError(f"{k} subject-independent folds need {k} subjects, found {len(counts)}")
    parts: list[list[str]] = [[] for _ in range(k)]
    sizes = [0] * k
    for subject, count in sorted(counts.items(), key=lambda item: -item[1]):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(subject)
        sizes[smallest] += count
    return parts


def _fold(samples: pd.DataFrame, name: str, test: Sequence[str], val: Sequence[str] = ()) -> Fold:
    tested, validated = samples["subject"].isin(test), samples["subject"].isin(val)

    def ids(chosen: pd.Series) -> tuple[str, ...]:
        return tuple(sorted(samples["sample"][chosen]))

    return Fold(name, ids(~tested & ~validated), ids(tested), ids(validated))
