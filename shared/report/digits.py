"""Printed digits as evidence: the numbers of samples that an accuracy can be of, and whether an F1 can be pooled.

An accuracy of N samples is k/N. A pooled F1 is a ratio of small whole numbers, too: for P positives among N samples
that of "present" is 2TP / (P + predicted). A printed number that no such ratio gives in as many digits was computed
in another way: as a mean over folds, or from other samples."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import METRICS
from ..runs.paper import Column, Paper
from ..tasks import TASKS, Task
from .printed import POSITIVES, PRINTED, printed_numbers

READINGS = ("rounded", "truncated")
NEAR = 50  # numbers on either side of a printed one, a unit of the last digit apart, that show what chance allows
DRAWS = 200_000  # confusion matrices of three classes or more
EPSILON = 1e-12  # floating point; distinct ratios of these counts are further apart


@cache
def values(counts: tuple[int, ...], metric: str) -> np.ndarray:
    """The values that a metric of pooled predictions can take, sorted, for the samples of each class.

    They are complete for accuracy and for two classes (absent, present). For more classes they are those of random
    confusion matrices: a number among them can be pooled; of others nothing is known."""
    if metric == "accuracy":
        return np.arange(sum(counts) + 1) / sum(counts)
    return np.unique(METRICS[metric](_every(*counts) if len(counts) == 2 else _drawn(counts)))


def _every(absent: int, present: int) -> np.ndarray:
    """All confusion matrices (M, 2, 2)."""
    TN, TP = np.indices((absent + 1, present + 1)).reshape(2, -1)
    return np.stack([TN, absent - TN, present - TP, TP], axis=-1).reshape(-1, 2, 2)


def _drawn(counts: tuple[int, ...]) -> np.ndarray:
    """Random confusion matrices (DRAWS, C, C), from nearly all right to nearly all wrong."""
    rng, C = np.random.default_rng(0), len(counts)
    wrong, rows = rng.random((DRAWS, 1)) ** rng.uniform(0.3, 3, (DRAWS, C)), []
    for c, n in enumerate(counts):
        errors = rng.binomial(n, wrong[:, c])
        others = rng.multinomial(errors, rng.dirichlet(np.ones(C - 1), DRAWS))
        rows.append(np.insert(others, c, n - errors, axis=1))
    return np.stack(rows, axis=1)


def readings(text: str, possible: np.ndarray, scale: float = 1) -> tuple[str, ...]:
    """How a printed number can come from one of the `possible` values: rounded (halves either way), truncated."""
    value, unit = _exact(text, scale)
    rounded = _between(possible, value - unit / 2 - EPSILON, value + unit / 2 + EPSILON)
    truncated = _between(possible, value - EPSILON, value + unit - EPSILON)
    return tuple(name for name, there in zip(READINGS, (rounded, truncated), strict=True) if there)


def by_chance(text: str, possible: np.ndarray, scale: float = 1) -> float:
    """The share of the numbers around a printed one, of as many digits, that can be rounded from `possible` values."""
    value, unit = _exact(text, scale)
    around = value + unit * np.arange(-NEAR, NEAR + 1)
    around = around[(around > -EPSILON) & (around < 1 + EPSILON)]
    return float(_between(possible, around - unit / 2 - EPSILON, around + unit / 2 + EPSILON).mean())


def _exact(text: str, scale: float) -> tuple[float, float]:
    """A printed number and the unit of its last digit, as shares of 1."""
    return float(text) / scale, 10.0 ** -len(text.partition(".")[2]) / scale


def _between(possible: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """For each pair of `low` and `high`, whether a possible value lies between them."""
    return np.asarray(np.searchsorted(possible, high) > np.searchsorted(possible, low))


def class_counts(task: Task, column: Column) -> list[tuple[int, ...]]:
    """The samples of each class by the literature, or those without and with an action unit; one tuple an edition."""
    known = {what: n for _, counts in PRINTED.get(task.name, []) for what, n in counts.items()}
    if column.au is not None:
        present = known.get(f"AU {column.au}")
        return [] if present is None else [(sum(task.expected.values()) - present, present)]
    found = [tuple(known.get(f"{column.corpus or ''} {name}".strip(), 0) for name in task.classes)]
    for edition, sources in PRINTED.items():
        if task.corpora == (edition.split()[0],):
            labels = task.classes_of(task.corpora[0])
            for _, counts in sources:  # the release's, and then what others print differently
                each = sources[0][1] | counts
                found.append(tuple(sum(each.get(e, 0) for e in labels if labels[e] == c) for c in task.classes))
    return list(dict.fromkeys(counts for counts in found if all(counts)))


def describe_digits(paper: Paper) -> list[str]:
    """What the digits of a paper's own numbers allow, a paragraph for all columns that print the same measurement.

    Zeros and means over action units are left out."""
    found = []
    for column, texts in _printed_values(paper):
        task = TASKS[column.task]
        if not texts or (task.aus and column.au is None):
            continue
        found.append(f"{column.name} ({column.metric} of {task.name}), printed values: {len(texts)}")
        if column.metric == "accuracy":
            choices = _fitting_sizes(task, column, texts)
        else:
            choices = {f"samples {' + '.join(map(str, counts))}": counts for counts in class_counts(task, column)}
        for name, counts in choices.items():
            chance = sum(by_chance(text, values(counts, column.metric), column.scale) for text in texts)
            rounded, truncated, others = _allowed(column, texts, counts)
            found.append(f"  {name}: {rounded} rounded ({chance:.1f} by chance), {truncated} truncated{others}")
    return found


def _printed_values(paper: Paper) -> list[tuple[Column, list[str]]]:
    """The first column of each measurement, and what the authors' own rows print of it, each value once."""
    groups: dict[tuple[Any, ...], tuple[Column, list[str]]] = {}
    for table in paper.tables:
        numbers = printed_numbers(paper.folder, table.name)
        for column in table.columns:
            key = (column.task, column.metric, column.scale, column.au, column.corpus, *column.changes.items())
            _, texts = groups.setdefault(key, (column, []))
            for (row, name), (text, source) in numbers.items():
                own = name == column.name and source == "run" and row != POSITIVES
                if own and float(text) and text not in texts:
                    texts.append(text)
    return list(groups.values())


def _fitting_sizes(task: Task, column: Column, texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The task's number of samples, and those near it of which most accuracies can be rounded, or truncated."""
    expected = task.expected.get(column.corpus or "", sum(task.expected.values()))
    near = range(expected * 9 // 10, expected * 11 // 10 + 1)
    fits = {N: _allowed(column, texts, (N,)) for N in near}
    best = {max(near, key=lambda N: fits[N][how]) for how in range(len(READINGS))}
    return {f"N = {N}{' (the task)' * (expected == N)}": (N,) for N in sorted({*best, expected})}


def _allowed(column: Column, texts: Iterable[str], counts: tuple[int, ...]) -> tuple[int, int, str]:
    """How many printed values are rounded or truncated from these samples' values, and a list of the others."""
    read = {text: readings(text, values(counts, column.metric), column.scale) for text in texts}
    rounded, truncated = (sum(how in r for r in read.values()) for how in READINGS)
    others = {"truncated only": READINGS[1:], "neither": ()}
    listed = {what: ", ".join(t for t, r in read.items() if r == which) for what, which in others.items()}
    return rounded, truncated, "".join(f"; {what}: {some}" for what, some in listed.items() if some)
