"""One cell of a table: the measured number from run records, its interval, the other rule's and the leak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ..metrics import bootstrap, confusion, constant_baseline, interval, score
from ..runs.experiment import predicted
from ..runs.fold import Record, Rule
from ..runs.paper import Column, Row
from ..runs.recorded import Recorded
from ..runs.yardstick import NAME
from ..tasks import TASKS


@dataclass(frozen=True)
class Cell:
    """One cell of a table; numbers are in the printed unit."""

    row: str
    column: str
    paper: str = ""  # as printed; empty where the paper has no number or our copy is illegible
    source: str = "run"  # "cited" from others, "illegible", or the table that prints it where this one does not
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
    seeds: Mapping[int, float] = field(default_factory=dict)  # the number of each
    gain: float | None = None  # over the table's first row, on the same samples and seeds
    gain_low: float | None = None
    gain_high: float | None = None
    draws: "Draws | None" = field(default=None, repr=False, compare=False)
    scale: float = 1.0  # the most that the number can be
    note: str = ""  # folds done, or that it is not run
    comparable: bool = True  # with the printed number: not where that is for other samples
    remark: str = ""  # what was done to the row's input or training that the paper does not do

    @property
    def decimals(self) -> int:
        if self.paper:
            return len(self.paper.partition(".")[2])
        return 2 if max(self.scale, abs(self.measured or 0), abs(self.high or 0)) > 1.5 else 4

    @property
    def difference(self) -> float | None:
        if self.measured is None or not self.paper or not self.comparable:
            return None
        return self.measured - float(self.paper)

    def over(self, first: "Cell | None") -> "Cell":
        """The cell with its difference to another of the same column; as it is where the two are not paired."""
        if first is None or first.row == self.row or self.measured is None or first.measured is None:
            return self
        if self.draws is None or first.draws is None or self.draws.samples != first.draws.samples:
            return self
        if self.seeds.keys() != first.seeds.keys():
            return self
        low, high = np.clip(interval(self.draws.values - first.draws.values), -self.scale, self.scale).tolist()
        return replace(self, gain=self.measured - first.measured, gain_low=low, gain_high=high)


class Draws(NamedTuple):
    """A number in each draw of subjects; on the same samples they are the same draws."""

    samples: frozenset[str]
    values: np.ndarray


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


def confusion_of(records: Sequence[Record], rule: Rule, column: Column) -> np.ndarray:
    """The pooled confusion matrix, of units (A, 2, 2), of one seed at the epochs whose weights are kept."""
    seed = pooled(records, rule, "", column, records[0]["metrics"][0])
    return confusion(seed.targets, seed.predictions, seed.classes)


def measured(cell: Cell, row: Row, column: Column, seeds: Mapping[int, Sequence[Record]]) -> list[Cell]:
    """The cell with its number, from the records of each seed.

    A mean of folds is followed by the pooled number, which no paper prints."""
    rules = dict.fromkeys((cell.rule, "last", "best_on_test"))
    runs = {rule: [pooled(r, rule, row.output, column, _by(rule, r)) for r in seeds.values()] for rule in rules}
    if (runs[cell.rule][0].targets < 0).all():
        return [replace(cell, note=f"not scored: too few samples show it ({cell.note})")]
    samples = frozenset(
        sample
        for record in chain(*seeds.values())
        for sample, corpus in zip(record["samples"], record["corpora"], strict=True)
        if column.corpus in (None, corpus)
    )
    pool = replace(cell, joined="pooled", paper="", source="run")
    cells = [cell] if cell.joined == "pooled" else [cell, pool]
    found = [_scored(each, column, runs, list(seeds), samples) for each in cells]
    if all(len(record["history"]) == 1 for records in seeds.values() for record in records):  # no epoch to choose
        return [replace(c, other=None, leak=None, leak_low=None, leak_high=None) for c in found]
    return found


def _by(rule: str, records: Sequence[Record]) -> str:
    """The metric by which a rule chooses the epoch: "val" one network for all columns; "" each column's own."""
    return records[0]["metrics"][0] if rule == "val" else ""


def _scored(
    cell: Cell, column: Column, runs: Mapping[str, Sequence[Predictions]], names: list[int], samples: frozenset[str]
) -> Cell:
    """The cell with the mean over seeds under each rule, and intervals over subjects."""
    classes, metric, scale = runs[cell.rule][0].classes, column.metric, column.scale
    joined = {rule: parts(seeds, cell.joined) for rule, seeds in runs.items()}
    each = {
        rule: [scale * score(target, pred, classes, metric, folds) for _, target, pred, folds in found]
        for rule, found in joined.items()
    }
    means = {rule: float(np.mean(numbers)) for rule, numbers in each.items()}
    draws = {rule: scale * bootstrap(found, classes, metric) for rule, found in joined.items()}
    own = each[cell.rule]
    if len(own) > 1:
        digits = replace(cell, measured=means[cell.rule], scale=scale).decimals
        cell = replace(cell, note=f"{cell.note}, seeds {min(own):.{digits}f} to {max(own):.{digits}f}")
    low, high = np.clip(interval(draws[cell.rule]), 0, scale)
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
        seeds=dict(zip(names, own, strict=True)),
        scale=scale,
        draws=Draws(samples, draws[cell.rule]),
    )


def parts(seeds: Sequence[Predictions], joined: str) -> list[tuple[Any, ...]]:
    """The runs of `bootstrap` for each seed's predictions."""
    return [(*seed[:3], seed.folds if joined == "mean of folds" else None) for seed in seeds]


def yardstick(column: Column, experiments: Sequence[Recorded], row: Recorded) -> list[Cell]:
    """The yardstick, with folds joined as in the column, and pooled; noted where it is of other samples than `row`."""
    if not experiments:
        return []
    note = f"{sum(e.folds for e in experiments)} folds"
    own, others = ({sample for record in e.found for sample in record["samples"]} for e in (experiments[0], row))
    note += f", on {len(own)} samples, where rows have {len(others)}" * (own != others)
    cell = Cell(f"yardstick ({NAME})", column.name, joined=column.joined, rule="last", note=note)
    found = measured(cell, Row(""), column, {e.seed: e.found for e in experiments})
    return [replace(c, rule="none") for c in found]


def baselines(column: Column, experiment: Recorded) -> list[Cell]:
    """The constant predictor on the experiment's samples, with folds joined as in the column, and pooled."""
    task, seed = experiment.task, pooled(experiment.found, "last", "", column)
    if (seed.targets < 0).all():
        return []
    answer = "largest class"
    if task.aus:
        answer = "all present" if column.metric == "f1_binary" else "all absent"
    row, scale, found = f"constant baseline ({answer})", column.scale, []
    for joined in dict.fromkeys((column.joined, "pooled")):
        folds = seed.folds if joined == "mean of folds" else None
        value = scale * constant_baseline(seed.targets, seed.classes, column.metric, folds)
        cell = Cell(row, column.name, measured=value, scale=scale, joined=joined, rule="none", note="same labels")
        found.append(cell)
    return found
