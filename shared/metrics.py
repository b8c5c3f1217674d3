"""Metrics of pooled predictions, all from confusion matrices; bootstrap intervals over subjects; constant baselines.

A confusion matrix is (..., C, C), rows the targets and columns the predictions; action units are C = 2 (absent,
present) with a leading axis of units. A class with no target and no prediction has F1 = 0 and counts in the means over
classes (scikit-learn's zero_division=0 with all labels listed)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Metric = Callable[[np.ndarray], np.ndarray]


def confusion(target: ArrayLike, pred: ArrayLike, classes: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Counts (C, C) of targets (N,) × predictions (N,); for units (N, A) of 0, 1 and -1 (not scored): (A, 2, 2).

    With `groups` (N,), numbers from 0 to G - 1 that all occur, those of each group: (G, ...). Raises ValueError for
    lengths that differ and for labels outside 0..C-1."""
    target, pred = np.asarray(target, dtype=np.int64), np.asarray(pred, dtype=np.int64)
    if target.shape != pred.shape:
        raise ValueError(f"targets {target.shape} and predictions {pred.shape} differ in shape")
    group = np.zeros(len(target), np.int64) if groups is None else groups
    G = int(group.max(initial=0)) + 1
    if target.ndim == 2:
        each = [_count(t[t >= 0], p[t >= 0], 2, group[t >= 0], G) for t, p in zip(target.T, pred.T, strict=True)]
        counts = np.stack(each, axis=1)
    else:
        counts = _count(target, pred, classes, group, G)
    return counts[0] if groups is None else counts


def _count(target: np.ndarray, pred: np.ndarray, C: int, group: np.ndarray, G: int) -> np.ndarray:
    for name, labels in (("target", target), ("prediction", pred)):
        if labels.size and (labels.min() < 0 or labels.max() >= C):
            raise ValueError(f"{name} outside 0..{C - 1}: {labels[(labels < 0) | (labels >= C)][0]}")
    return np.bincount((group * C + target) * C + pred, minlength=G * C * C).reshape(G, C, C)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator = np.asarray(numerator, dtype=float)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=np.asarray(denominator) > 0)


def _hits(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of right predictions, (..., C, C) → (...)."""
    return _divide(_hits(matrix).sum(-1), matrix.sum((-2, -1)))


def f1(matrix: np.ndarray) -> np.ndarray:
    """2TP / (2TP + FP + FN) of each class, (..., C, C) → (..., C)."""
    return _divide(2 * _hits(matrix), matrix.sum(-1) + matrix.sum(-2))


def uf1(matrix: np.ndarray) -> np.ndarray:
    """Unweighted F1: the mean of the classes' F1 (MEGC 2019)."""
    return f1(matrix).mean(-1)


def uar(matrix: np.ndarray) -> np.ndarray:
    """Unweighted average recall, over the classes that occur among the targets (MEGC 2019)."""
    support = matrix.sum(-1)
    return _divide(_divide(_hits(matrix), support).sum(-1), (support > 0).sum(-1))


def f1_binary(matrix: np.ndarray) -> np.ndarray:
    """F1 of "present", (..., 2, 2) → (...)."""
    return f1(matrix)[..., 1]


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "uf1": uf1,
    "uar": uar,
    "f1_macro": uf1,  # for a unit the mean of the F1 of "present" and of "absent"
    "f1_binary": f1_binary,
}


def score(target: ArrayLike, pred: ArrayLike, classes: int, metric: str, folds: Sequence[str] | None = None) -> float:
    """A metric of pooled predictions, for units (N, A) its mean over the units that are scored in some sample.

    With `folds` (N,), the fold of each prediction, the mean of the own numbers of the folds that score something."""
    target, pred = np.asarray(target), np.asarray(pred)
    parts = [slice(None)] if folds is None else [np.asarray(folds) == fold for fold in dict.fromkeys(folds)]
    matrices = [confusion(target[p], pred[p], classes) for p in parts]
    each = [_mean(m.reshape(-1, *m.shape[-2:]), metric) for m in matrices if m.any()]
    return float(np.mean(each)) if each else 0.0


def _mean(matrices: np.ndarray, metric: str) -> np.ndarray:
    """A metric's mean over those of the units that have samples, (..., A, C, C) → (...)."""
    scored = matrices.sum((-2, -1)) > 0
    return _divide((scored * METRICS[metric](matrices)).sum(-1), scored.sum(-1))


def bootstrap(
    runs: Sequence[Sequence[Any]], classes: int, metric: str, n: int = 1000, seed: int = 0, over_runs: bool = False
) -> np.ndarray:
    """A metric's mean over runs (subject, target, pred) in each of n draws of subjects with replacement: (n,).

    A run may have `folds` of `score` as its fourth part; a fold without a subject in a draw is left out of its mean,
    and its draws are moved so that their mean is the run's own number. As they are they lie low: in many draws a fold
    has lost the few samples that show a unit, whose F1 is then 0 (test_false_positives.py has how often).
    With `over_runs` each draw is one of runs, too: it may then stand for other seeds, and not for these alone.

    Every run meets the same draws, and so do other runs of the same subjects under the same seed: the difference of
    two rows' draws is that of paired draws. Raises ValueError when the runs are not of the same subjects."""
    counted = _by_subject(runs, classes)
    S, R, draw = len(counted[0][0]), len(counted), np.random.default_rng(seed)
    times = draw.multinomial(S, np.full(S, 1 / S), size=n)
    shares = (draw.multinomial(R, np.full(R, 1 / R), size=n) if over_runs else np.ones((n, R))) / R
    each = []
    for matrices, folds in counted:
        drawn = _weighted(times, matrices, folds, metric)
        if len(set(folds)) > 1:
            drawn += _weighted(np.ones((1, S)), matrices, folds, metric) - drawn.mean()
        each.append(drawn)
    return np.einsum("nr,rn->n", shares, each)


def exchanged(
    runs: Sequence[Sequence[Any]],
    others: Sequence[Sequence[Any]],
    classes: int,
    metric: str,
    networks: Sequence[Sequence[str]] = (),
    n: int = 5_000,
    seed: int = 0,
) -> float:
    """The p-value, on both sides, of the difference between two rows' means over runs, by exchanges.

    If the rows do not differ, their predictions for a subject may as well change places: p is the share of exchanges
    under which the difference is as large as found, of all 2^S of S subjects or, where these are more than n, of n
    random ones. Runs are as in `bootstrap`, the same number of both rows. Where a network answers for several
    subjects, its luck is all of theirs: `networks` names, for each run, that of each prediction, and p is the larger
    one of exchanges by subject and by network. Raises ValueError when the runs are not of the same subjects."""
    counted = _by_subject([*runs, *others], classes)
    S, R = len(counted[0][0]), len(runs)
    pairs = list(zip(counted[:R], counted[R:], strict=True))
    by_subject = _exchanged(pairs, [np.arange(S)] * R, S, metric, n, seed)
    if not networks:
        return by_subject
    units, U = [], 0  # the network of each subject in each run, and how many there are in all
    for run, names in zip(runs, networks, strict=True):
        _, subject = np.unique(run[0], return_inverse=True)
        own, network = np.unique(names, return_inverse=True)
        unit = np.empty(S, int)
        unit[subject] = U + network
        units.append(unit)
        U += len(own)
    if U >= S * R:  # each answers for one subject
        return by_subject
    return max(by_subject, _exchanged(pairs, units, U, metric, n, seed))


def _exchanged(pairs: Sequence[Any], units: Sequence[np.ndarray], U: int, metric: str, n: int, seed: int) -> float:
    """The p-value by exchanges of U units, to which the subjects of each pair of runs belong."""
    if n >= 2**U:
        mine = 1 - (np.arange(2**U)[:, None] >> np.arange(U)) % 2  # 1 where a unit keeps its own, first of all as found
    else:
        mine = np.random.default_rng(seed).integers(0, 2, (n + 1, U))
        mine[0] = 1
    differences = np.zeros(len(mine))
    for ((a, folds), (b, _)), unit in zip(pairs, units, strict=True):
        own, other = mine[:, unit], 1 - mine[:, unit]
        both, fold_of = np.concatenate([a, b]), np.concatenate([folds, folds])
        first, second = np.hstack([own, other]), np.hstack([other, own])
        differences += _weighted(first, both, fold_of, metric) - _weighted(second, both, fold_of, metric)
    return float(np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of a family, corrected (Holm 1979): a false one is below α in at most a share α of families."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()


def least_p(units: int, rows: int) -> float:
    """The smallest p of `exchanged` with so many people or networks, after Holm's correction over so many rows.

    Of the 2^U exchanges two have a difference as large as the largest: as found, and all exchanged."""
    return min(2 * 0.5**units * rows, 1)


def _by_subject(runs: Sequence[Sequence[Any]], classes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each run the confusion matrices of its S subjects (S, ...) and their folds (S,)."""
    people = [np.unique(np.asarray(run[0], dtype=str), return_inverse=True) for run in runs]
    names = people[0][0]
    if any(list(others) != list(names) for others, _ in people):
        raise ValueError("the runs are not of the same subjects")
    counted = []
    for (_, target, pred, *folds), (_, index) in zip(runs, people, strict=True):
        matrices = confusion(target, pred, classes, index)
        joined = folds[0] if folds and folds[0] is not None else [""] * len(index)
        fold_of = dict(zip(index, joined, strict=True))
        counted.append((matrices, np.array([fold_of[s] for s in range(len(names))])))
    return counted


def _weighted(weights: np.ndarray, each: np.ndarray, fold_of: np.ndarray, metric: str) -> np.ndarray:
    """A metric of the sum of the subjects' matrices (S, ...) under each row of weights (n, S): (n,).

    It is the mean over the folds that have a sample."""
    sums, counts = np.zeros(len(weights)), np.zeros(len(weights))
    for fold in dict.fromkeys(fold_of.tolist()):
        members = np.flatnonzero(fold_of == fold)
        matrices = np.tensordot(weights[:, members].astype(float), each[members].astype(float), axes=1)
        drawn = matrices.any(axis=tuple(range(1, matrices.ndim)))
        sums += drawn * _mean(matrices.reshape(len(weights), -1, *matrices.shape[-2:]), metric)
        counts += drawn
    return _divide(sums, counts)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of bootstrap draws."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def constant_baseline(target: ArrayLike, classes: int, metric: str, folds: Sequence[str] | None = None) -> float:
    """Score of always the largest class; for units of all-present under f1_binary, of all-absent under the others."""
    target = np.asarray(target, dtype=np.int64)
    units = target.ndim == 2
    constant = int(metric == "f1_binary") if units else int(np.bincount(target, minlength=classes).argmax())
    return score(target, np.full_like(target, constant), classes, metric, folds)
