"""Metrics of pooled predictions, all from confusion matrices; bootstrap intervals over subjects; constant baselines.

A confusion matrix is (..., C, C), rows the targets and columns the predictions; action units are C = 2 (absent,
present) with a leading axis of units. A class with no target and no prediction has F1 = 0 and counts in the means over
classes (scikit-learn's zero_division=0 with all labels listed)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Metric = Callable[[np.ndarray], np.ndarray]


def confusion(target: ArrayLike, pred: ArrayLike, classes: int) -> np.ndarray:
    """Counts (C, C) of targets (N,) × predictions (N,); for units (N, A) of 0, 1 and -1 (not scored): (A, 2, 2).

    Raises ValueError for lengths that differ and for labels outside 0..C-1."""
    target, pred = np.asarray(target, dtype=np.int64), np.asarray(pred, dtype=np.int64)
    if target.shape != pred.shape:
        raise ValueError(f"targets {target.shape} and predictions {pred.shape} differ in shape")
    if target.ndim == 2:
        return np.stack([_count(t[t >= 0], p[t >= 0], 2) for t, p in zip(target.T, pred.T, strict=True)])
    return _count(target, pred, classes)


def _count(target: np.ndarray, pred: np.ndarray, C: int) -> np.ndarray:
    for name, labels in (("target", target), ("prediction", pred)):
        if labels.size and (labels.min() < 0 or labels.max() >= C):
            raise ValueError(f"{name} outside 0..{C - 1}: {labels[(labels < 0) | (labels >= C)][0]}")
    return np.bincount(target * C + pred, minlength=C * C).reshape(C, C)


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


def f1_macro(matrix: np.ndarray) -> np.ndarray:
    """Mean of the F1 of "present" and of "absent", (..., 2, 2) → (...); on C classes the same as uf1."""
    return f1(matrix).mean(-1)


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "uf1": uf1,
    "uar": uar,
    "f1_macro": f1_macro,
    "f1_binary": f1_binary,
}


def score(target: ArrayLike, pred: ArrayLike, classes: int, metric: str, folds: Sequence[str] | None = None) -> float:
    """A metric of pooled predictions, for units (N, A) its mean over the units.

    With `folds` (N,), the fold of each prediction, the mean of the folds' own numbers."""
    target, pred = np.asarray(target), np.asarray(pred)
    parts = [slice(None)] if folds is None else [np.asarray(folds) == fold for fold in dict.fromkeys(folds)]
    return float(np.mean([METRICS[metric](confusion(target[p], pred[p], classes)).mean() for p in parts]))


def bootstrap(runs: Sequence[Sequence[Any]], classes: int, metric: str, n: int = 1000, seed: int = 0) -> np.ndarray:
    """A metric's mean over runs (subject, target, pred) in each of n draws of subjects with replacement: (n,).

    A run may have `folds` of `score` as its fourth part; a fold without a subject in a draw is left out of its mean.

    Every run meets the same draws, and so do other runs of the same subjects under the same seed. Raises ValueError
    when the runs are not of the same subjects."""
    people = [np.unique(np.asarray(run[0], dtype=str), return_inverse=True) for run in runs]
    names = people[0][0]
    if any(list(others) != list(names) for others, _ in people):
        raise ValueError("the runs are not of the same subjects")
    S = len(names)
    times = np.random.default_rng(seed).multinomial(S, np.full(S, 1 / S), size=n)
    values = np.zeros(n)
    for (_, target, pred, *folds), (_, index) in zip(runs, people, strict=True):
        target, pred = np.asarray(target), np.asarray(pred)
        each = np.stack([confusion(target[index == s], pred[index == s], classes) for s in range(S)])
        fold_of = dict(zip(index, folds[0] if folds and folds[0] is not None else [""] * len(index), strict=True))
        sums, counts = np.zeros(n), np.zeros(n)
        for fold in dict.fromkeys(fold_of.values()):
            members = [s for s in range(S) if fold_of[s] == fold]
            drawn = times[:, members].any(axis=1)
            matrices = np.tensordot(times[:, members], each[members], axes=1)
            sums += drawn * METRICS[metric](matrices).reshape(n, -1).mean(-1)
            counts += drawn
        values += sums / counts / len(runs)
    return values


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
