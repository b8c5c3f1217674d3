"""One cell of a table: the measured number from run records, its interval, the other rule's and the leak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..metrics import bootstrap, confusion, constant_baseline, interval, score
from ..runs.experiment import Experiment, predicted
from ..runs.fold import Record
from ..runs.paper import Column, Row
from ..runs.yardstick import NAME
from ..tasks import TASKS


@dataclass(frozen=True)
class Cell:
    """One cell of a table; numbers are in the printed unit."""

    row: str
    column: str
    paper: str = ""  # as printed; empty where the paper has no number or our copy is illegible
    source: str = "run"  # "cited" where the paper quotes others; else the table that prints it where this one does not
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    joined: str = ""
    rule: str = ""
    other: float | None = None  # under the other rule
    other_rule: str = ""
    leak: float | None = None  # best_on_test − last
    leak_low: float | None = None
    leak_high: float | None = None
    note: str = ""  # folds done, or why there is no number
    comparable: bool = True  # with the printed number: not where that is for other samples
    remark: str = ""  # what was done to the row's input or training that the paper does not do

    @property
    def decimals(self) -> int:
        if self.paper:
            return len(self.paper.partition(".")[2])
        return 2 if max(abs(self.measured or 0), abs(self.high or 0)) > 1.5 else 4

    @property
    def difference(self) -> float | None:
        if self.measured is None or not self.paper or not self.comparable:
            return None
        return self.measured - float(self.paper)


class Predictions(NamedTuple):
    """The predictions of all folds of one seed, pooled: N samples, of classes or of A action units."""

    subjects: np.ndarray  # (N,)
    targets: np.ndarray  # (N,) or (N, A)
    predictions: np.ndarray  # (N,) or (N, A)
    folds: list[str]  # N
    classes: int


def pooled(records: Sequence[Record], rule: str, output: str, column: Column, metric: str = "") -> Predictions:
    """What the column scores of one seed's records, at the epochs that `rule` chose by `metric`, else the column's."""
    subjects, targets, predictions, folds, outputs = [], [], [], [], 0
    for record in records:
        scores = predicted(record, rule, metric or column.metric, output)
        samples = zip(record["corpora"], record["subjects"], record["targets"], scores, strict=True)
        for corpus, subject, target, values in samples:
            if column.corpus in (None, corpus):
                subjects.append(subject)
                targets.append(target)
                folds.append(record["fold"])
                predictions.append([v > 0.5 for v in values] if isinstance(target, list) else np.argmax(values))
                outputs = len(values)
    wanted, said = _of_unit(column, np.array(targets)), _of_unit(column, np.array(predictions, dtype=int))
    return Predictions(np.array(subjects), wanted, said, folds, 2 if wanted.ndim == 2 else outputs)


def _of_unit(column: Column, values: np.ndarray) -> np.ndarray:
    """The column's action unit of values (N, A), as (N, 1); all of them where it has none."""
    return values if column.au is None else values[:, [TASKS[column.task].aus.index(column.au)]]


def confusion_of(experiment: Experiment, column: Column) -> np.ndarray:
    """The pooled confusion matrix of an experiment's predictions at the scored epochs."""
    seed = pooled(experiment.records(), experiment.session.rule, "", column, experiment.metrics[0])
    return confusion(seed.targets, seed.predictions, seed.classes)


def measured(cell: Cell, row: Row, column: Column, seeds: Sequence[Sequence[Record]]) -> list[Cell]:
    """The cell with its number, from the records of each seed.

    A mean of folds is followed by the pooled number, which no paper prints."""
    rules = dict.fromkeys((cell.rule, "last", "best_on_test"))
    runs = {rule: [pooled(records, rule, row.output, column) for records in seeds] for rule in rules}
    if (runs[cell.rule][0].targets < 0).all():
        return [replace(cell, note=f"not scored: too few samples show it ({cell.note})")]
    pool = replace(cell, joined="pooled", paper="", source="run")
    return [_scored(each, column, runs) for each in ([cell] if cell.joined == "pooled" else [cell, pool])]


def _scored(cell: Cell, column: Column, runs: Mapping[str, Sequence[Predictions]]) -> Cell:
    """The cell with the mean over seeds under each rule, and intervals over subjects."""
    means, draws = {}, {}
    for rule, seeds in runs.items():
        each = [
            column.scale * score(target, pred, seeds[0].classes, column.metric, folds)
            for _, target, pred, folds in parts(seeds, cell.joined)
        ]
        means[rule] = float(np.mean(each))
        if rule == cell.rule and len(each) > 1:
            digits = replace(cell, measured=means[rule]).decimals
            cell = replace(cell, note=f"{cell.note}, seeds {min(each):.{digits}f} to {max(each):.{digits}f}")
        draws[rule] = column.scale * bootstrap(parts(seeds, cell.joined), seeds[0].classes, column.metric)
    low, high = interval(draws[cell.rule])
    leak_low, leak_high = interval(draws["best_on_test"] - draws["last"])
    other_rule = "last" if cell.rule == "best_on_test" else "best_on_test"
    return replace(
        cell,
        measured=means[cell.rule],
        low=low,
        high=high,
        other_rule=other_rule,
        other=means[other_rule],
        leak=means["best_on_test"] - means["last"],
        leak_low=leak_low,
        leak_high=leak_high,
    )


def parts(seeds: Sequence[Predictions], joined: str) -> list[tuple[Any, ...]]:
    """The runs of `bootstrap` for each seed's predictions."""
    return [(*seed[:3], seed.folds if joined == "mean of folds" else None) for seed in seeds]


def yardstick(column: Column, experiments: Sequence[Experiment]) -> list[Cell]:
    """The yardstick, with folds joined as in the column, and pooled; nothing until all its folds are done."""
    seeds = [experiment.records() for experiment in experiments]
    if not seeds or sum(map(len, seeds)) < sum(len(experiment.folds) for experiment in experiments):
        return []
    cell = Cell(
        f"yardstick ({NAME})", column.name, joined=column.joined, rule="last", note=f"{sum(map(len, seeds))} folds"
    )
    found = measured(cell, Row(""), column, seeds)
    return [replace(c, rule="none", other=None, leak=None, leak_low=None, leak_high=None) for c in found]


def baselines(column: Column, experiment: Experiment) -> list[Cell]:
    """The constant predictor, with folds joined as in the column, and pooled."""
    task, samples = experiment.task, experiment.samples.assign(scored=experiment.task.scored)
    if column.corpus:
        samples = samples[samples["corpus"] == column.corpus]
    target = _of_unit(column, np.array(samples["scored"].tolist()))
    if (target < 0).all():
        return []
    answer = "largest class"
    if task.aus:
        answer = "all present" if column.metric == "f1_binary" else "all absent"
    found = []
    for joined in dict.fromkeys((column.joined, "pooled")):
        folds = None
        if joined == "mean of folds":
            fold_of = {sample: fold.name for fold in experiment.folds for sample in fold.test}
            folds = [fold_of[sample] for sample in samples["sample"]]
        value = column.scale * constant_baseline(target, 2 if task.aus else len(task.classes), column.metric, folds)
        row = f"constant baseline ({answer})"
        found.append(Cell(row, column.name, measured=value, joined=joined, rule="none", note="same labels"))
    return found
