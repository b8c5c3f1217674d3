"""The declaration of a paper: tables, columns and rows, and the functions that make them run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import pandas as pd
from torch import Tensor, nn

from ..errors import UserError, unknown
from ..tasks import TASKS, Task
from .config import Settings, changed, parse, types
from .fold import Data, FoldTraining, History, PretrainingData, Record, Rule
from .pretraining import Pretraining
from .published import Published

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from ..report.results import Result
    from .experiment import Experiment
    from .session import Session


@dataclass(frozen=True)
class Column:
    """A column of a table: which task's predictions it scores, by which metric, in which unit it is printed."""

    name: str  # as in tables/*.csv
    task: str
    metric: str
    scale: float = 1.0  # 100 where the paper prints per cent
    au: int | None = None  # one action unit; without it the mean over the task's
    corpus: str | None = None  # the predictions of one corpus of a composite task
    joined: Literal["pooled", "mean of folds"] = "pooled"  # how the printed number joins the folds
    changes: Mapping[str, Any] = field(default_factory=dict)  # Config fields that the column sets


class Row:
    """A row of a table: its printed name and the Config fields in which it differs from the paper's own method.

    With `records`, "package/table/row", it is another paper's row: its records are read, not made.
    """

    def __init__(
        self, name: str, /, *, output: str = "", tasks: tuple[str, ...] | None = None, records: str = "", **changes: Any
    ) -> None:
        self.name, self.output, self.tasks, self.records, self.changes = name, output, tasks, records, changes


@dataclass(frozen=True)
class Table:
    """A table of the paper; its printed numbers stand in tables/`name`.csv."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def cells(self) -> list[tuple[Row, Column]]:
        """The (row, column) pairs that are run."""
        return [(r, c) for r in self.rows for c in self.columns if r.tasks is None or c.task in r.tasks]


@dataclass(frozen=True)
class Method:
    """A row of the comparison of all papers' methods, with its own paper's settings."""

    row: Row
    tuned: str = ""  # the corpora and labels for which the settings were chosen
    by_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # task → Config fields that it changes

    def on(self, column: Column) -> Column:
        """The column with the settings of the method on its task."""
        return replace(column, changes=self.by_task.get(column.task, {}))


@dataclass(frozen=True)
class Claim:
    """The central claim of a paper, that `row` is better than the row `over`; its task has two halves of people."""

    text: str
    row: Row
    over: Row
    task: str
    metric: str

    def column(self, people: int) -> Column:
        """A column in which the rows learn from so many people."""
        return Column(f"{people} people", self.task, self.metric, changes={"people": people})


@dataclass(frozen=True)
class Figure:
    """A drawn figure of the page."""

    title: str
    caption: str
    plot: "Plot"


C = TypeVar("C", bound=Settings)
D = TypeVar("D", bound=Data)
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Paper(Generic[C, D, N]):
    """One paper: its settings C, its data D, its network N, its tables and the functions that make them run."""

    name: str
    title: str
    folder: Path
    config: type[C]
    smoke: Mapping[str, Any]  # what --scale smoke changes in it
    tables: tuple[Table, ...]
    headline: tuple[str, ...]  # "table/row@column" names run when nothing is asked for
    rule: Rule  # the epoch that the paper scores
    load: Callable[[pd.DataFrame, C, Path], D]  # (samples, config, cache)
    train: Callable[[FoldTraining[C, D]], None]
    apply: Callable[[N, D, C], tuple[Tensor, Tensor]]  # scores (N, K) and activation maps (N, 1 or K, h, w)
    pretraining: Callable[[C, Task], dict[str, Any] | None] = lambda config, task: None  # what it depends on
    pretraining_data: Callable[[Mapping[str, pd.DataFrame], C, Path], PretrainingData] | None = None  # from corpora
    pretrain: Callable[[Pretraining[C]], dict[str, Tensor]] | None = None
    used: Callable[[pd.DataFrame, C], pd.DataFrame] = lambda samples, config: samples  # of a corpus: who needs a box
    figures: "Callable[[Session, Sequence[Experiment], Sequence[Result]], list[Figure]]" = lambda *_: []
    # (config, history of the pre-training, records of folds) -> what a reader must know: one line "weights: …", and
    # lines "input: …" and "training: …" of what the paper does not do
    remarks: Callable[[C, History, Sequence[Record]], list[str]] = lambda config, history, records: []
    files: Callable[[C], tuple[str, ...]] = lambda config: ()  # published files that a Config starts from, by name
    pretraining_files: Callable[[C], tuple[str, ...]] | None = None  # those of its pre-training; None: the same
    published: tuple[Published, ...] = ()  # all that there are
    comparison: Mapping[str, tuple[Method, ...]] = field(default_factory=dict)  # "emotion" and "aus" → its methods
    claim: Claim | None = None
    yardstick: bool = True  # a linear SVM on flow beside its rows
    code: tuple[str, ...] = ()  # modules that train and score; none: its `train` and `data`

    def table(self, name: str) -> Table:
        known = {t.name: t for t in self.tables}
        name = f"table{name}" if name.isdigit() else name
        if name not in known:
            raise unknown(f"table of {self.name}", name, known)
        return known[name]

    def choose(self, names: list[str]) -> list[tuple[Table, tuple[Row, ...]]]:
        """Tables and rows for "table", "table/row" and "table/row@column" names, in the paper's order, or the headline.

        A column is named by its beginning. Tables come with the columns asked for, the same in all their rows.
        """
        rows: dict[str, set[str]] = {}
        columns: dict[str, set[str]] = {}
        for name in names or self.headline:
            place, _, column = name.partition("@")
            table_name, _, row = place.partition("/")
            table = self.table(table_name)
            row_names, column_names = [r.name for r in table.rows], [c.name for c in table.columns]
            if row and row not in row_names:
                raise unknown(f"row of {table.name}", row, row_names)
            named = [name for name in column_names if name.startswith(column)]
            if not named:
                raise unknown(f"column of {table.name}", column, column_names)
            rows.setdefault(table.name, set()).update([row] if row else row_names)
            columns.setdefault(table.name, set()).update(named)
        return [
            (
                replace(t, columns=tuple(c for c in t.columns if c.name in columns[t.name])),
                tuple(r for r in t.rows if r.name in rows[t.name]),
            )
            for t in self.tables
            if t.name in rows
        ]

    @cache  # noqa: B019 (a paper lives as long as its process)
    def neighbours(self, row: Row) -> dict[str, dict[Any, str]]:
        """The settings each of which alone turns a row into another of its tables: {setting: {value: other's name}}."""
        plain, found = self.config(), dict[str, dict[Any, str]]()
        own = changed(plain, row.changes)
        for other in [other for table in self.tables if row in table.rows for other in table.rows]:
            theirs = changed(plain, other.changes)
            for key in other.changes.keys() - row.changes.keys():
                value = getattr(theirs, key)
                with suppress(UserError):  # values that do not go together
                    if changed(self.config(**{key: value}), row.changes) == theirs != own:
                        found.setdefault(key, {}).setdefault(value, other.name)
        return found

    def corpora(self, row: Row, column: Column) -> tuple[str, ...]:
        """The corpora that a cell needs, its pre-training's included."""
        if row.records:
            paper, row, column = self.lent(row, column)
            return paper.corpora(row, column)
        task = TASKS[column.task]
        stage = self.pretraining(changed(self.config(), {**row.changes, **column.changes}), task)
        return tuple(dict.fromkeys([*task.corpora, *(stage["corpora"] if stage else ())]))

    @staticmethod
    def lent(row: Row, column: Column) -> "tuple[AnyPaper, Row, Column]":
        """The paper whose records a row with `records` reads, and its own row and column."""
        paper = lending_paper(row)
        ((table, (lent,)),) = paper.choose([row.records.partition("/")[2]])
        return paper, lent, next(c for c in table.columns if c.task == column.task)

    def metrics(self, task: str) -> tuple[str, ...]:
        """The metrics by which a task's epochs are compared: those that the tables print, in order, then others."""
        printed = (c.metric for t in self.tables for c in t.columns if c.task == task)
        return tuple(dict.fromkeys([*printed, *TASKS[task].metrics]))

    def base(self, scale: str, overrides: Mapping[str, str]) -> C:
        """The Config of the paper's own method at a scale, with `--set` on top."""
        config = self.config(**(self.smoke if scale == "smoke" else {}))
        kinds = types(self.config)
        for key in overrides:
            if key not in kinds:
                raise unknown(f"setting of {self.name}", key, kinds)
        return replace(config, **{k: parse(k, v, kinds[k]) for k, v in overrides.items()})

    def recorded(self, config: Mapping[str, Any]) -> C:
        """The Config that a record holds. Raises UserError for one of other fields."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        try:
            return self.config(**values)
        except TypeError as error:
            raise UserError(f"its settings are those of another version of the code ({error})") from error


AnyPaper = Paper[Any, Any, Any]


def lending_paper(row: Row) -> AnyPaper:
    """The paper whose records a row with `records` reads."""
    paper: AnyPaper = import_module(f"{row.records.partition('/')[0]}.experiments").PAPER
    return paper
