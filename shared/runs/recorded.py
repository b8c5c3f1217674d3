"""The experiments that lie in a session's folder, as their records have them: needs no data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import read_json
from ..keys import differing, of_code_alone
from ..tasks import TASKS, Task
from .config import Settings, changed
from .experiment import Experiment, predicted
from .fold import History, Record
from .paper import AnyPaper, Column, Row, lending_paper
from .session import Session
from .yardstick import YARDSTICK, unfit

TABLE = ("samples", "subjects", "table")  # of a record's data: the same for all settings that use the same samples


def _started(found: tuple[Path, list[Record]]) -> str:
    """When the newest record of a folder was begun."""
    return max(record.get("times", {}).get("started", "") for record in found[1])


@dataclass(frozen=True, eq=False)
class Recorded:
    """One configuration on one task with one seed; `folds` is how many it has, finished or not."""

    session: Session
    task: Task
    config: Settings
    seed: int
    folds: int
    found: Sequence[Record]  # one a finished fold
    history: History  # of its pre-training

    @property
    def done(self) -> bool:
        return len(self.found) == self.folds


def recorded(experiment: Experiment) -> Recorded:
    """An experiment whose data is there, as its records have it."""
    e = experiment
    history = e.pretraining.history() if e.pretraining else []
    return Recorded(e.session, e.task, e.config, e.seed, len(e.folds), e.records(), history)


class Archive:
    """The experiments in a session's folder; `left_out` names the folders that cannot be used, and says why.

    With `data` each is compared with the data of the session, too, as far as that is there.
    """

    def __init__(self, session: Session, *, data: bool) -> None:
        self.session, self.left_out, self._data = session, list[str](), data
        self._editions: dict[Task, Mapping[str, Any]] = {}
        self._tables: dict[tuple[Task, frozenset[str]], Mapping[str, Any]] = {}  # settings may leave out broken clips
        self._labels: dict[Task, dict[str, tuple[str, Any]]] = {}  # sample -> subject, target
        self._pixels: dict[tuple[Task, Settings], Mapping[str, Any]] = {}  # and under one configuration
        self._found: dict[tuple[Task, Settings], dict[int, Recorded]] = {}
        newest_first = sorted(self._folders(), key=_started)[::-1]
        for folder, records in newest_first:
            try:
                made = self._checked(records)
            except (UserError, LookupError, TypeError, ValueError) as error:
                why = str(error) if isinstance(error, UserError) else f"not records of this version ({error!r})"
                self.left_out.append(f"{folder} is left out: {'; '.join(map(str.strip, why.splitlines()))}")
            else:
                self._found.setdefault((made.task, made.config), {})[made.seed] = made

    def owner(self, row: Row) -> "Archive":
        """The archive that a row's records are in: of another paper where the row has `records`."""
        return self._lender(lending_paper(row)) if row.records else self

    def yardstick(self, task: Task) -> list[Recorded]:
        """The yardstick's experiments on a task, one a seed; none where the paper or the task goes without."""
        if not self.session.paper.yardstick or unfit(task):
            return []
        return self._lender(YARDSTICK)._of(task, self.session.yardstick_config)

    def experiments(self, row: Row, column: Column) -> list[Recorded]:
        """A cell's experiments, one a seed, as far as there are records."""
        if row.records:
            paper, row, column = self.session.paper.lent(row, column)
            return self._lender(paper).experiments(row, column)
        if self.session.misnamed(row):
            return []
        try:
            config = changed(self.session.base, {**row.changes, **column.changes})
        except UserError:  # --set and this row, of those not asked for, do not go together
            return []
        return self._of(TASKS[column.task], config)

    def _of(self, task: Task, config: Settings) -> list[Recorded]:
        """The experiments of one configuration on one task, by their seeds."""
        return [made for _, made in sorted(self._found.get((task, config), {}).items())]

    @cache  # noqa: B019 (an archive lives as long as a report)
    def _lender(self, paper: AnyPaper) -> "Archive":
        return Archive(self.session.lender(paper), data=self._data)

    def _folders(self) -> Iterator[tuple[Path, list[Record]]]:
        """Each folder of records with those that are whole."""
        for folder in sorted(self.session.folder.glob("*/*/seed-*")):
            if folder.parts[-3] != "pretraining" and (records := self._read(folder.glob("*.json"))):
                yield folder, records

    def _read(self, paths: Iterable[Path]) -> list[Record]:
        """The records that are whole."""
        records = []
        for path in sorted(paths):
            try:
                records.append(self.session.records.get(path) or read_json(path))
            except UserError as error:
                self.left_out.append(str(error))
        return records

    def _checked(self, records: Sequence[Record]) -> Recorded:
        """The experiment that has left the records. Raises UserError where these are not all of one, or are stale."""
        session, first = self.session, records[0]
        task, config = TASKS[first["task"]], session.paper.recorded(first["config"])
        used = task, _samples_of(first)
        shared = {**self._tables.get(used, {}), **self._editions.get(task, {})}
        known = self._pixels.get((task, config)) or {**first["data"], **shared}
        wanted = {name: first[name] for name in ("seed", "task", "config", "published", "pretraining", "folds")}
        wanted |= {
            "paper": session.paper.name,
            "scale": session.scale,
            "generated": session.generated,
            "shuffled": session.shuffled,
            "rule": session.rule,
            "code": session.code,
            "metrics": list(session.paper.metrics(task.name)),
            "data": known,
        }
        if lines := list(dict.fromkeys(line for r in records for line in differing(r, wanted, session.but))):
            raise UserError("\n".join(lines) + (" (--accept-code uses it)" if of_code_alone(lines) else ""))
        if session.paper.base(session.scale, first["set"]) != session.base:
            changes = " ".join(f"{key}={value}" for key, value in first["set"].items())
            raise UserError(f"it was run with --set {changes}" if changes else "it was run without --set")
        _refuse_other_splits(records, config)
        for record in records:
            _refuse_lengths(record, {session.rule, "last", "best_on_test"}, wanted["metrics"])
        labels: dict[str, tuple[str, Any]] = {}
        for record in records:
            labels |= dict(zip(record["samples"], zip(record["subjects"], record["targets"], strict=True), strict=True))
        elsewhere = self._labels.setdefault(task, {})
        if other := [sample for sample, label in labels.items() if elsewhere.get(sample, label) != label]:
            raise UserError(f"{other[0]}: recorded {labels[other[0]]}, elsewhere {elsewhere[other[0]]}")
        if self._data:
            live = session.experiment(task, config, first["seed"])
            if not live.missing():
                live.records()  # raises UserError where they are of other data
        elsewhere |= labels
        self._editions[task] = {"editions": first["data"]["editions"]}
        self._tables[used] = {name: first["data"][name] for name in TABLE}
        self._pixels[task, config] = first["data"]
        return Recorded(session, task, config, first["seed"], first["folds"], records, self._history(first))

    @cached_property
    def _pretrainings(self) -> list[Record]:
        return self._read(self.session.folder.glob("pretraining/*/seed-*/record.json"))

    def _history(self, record: Record) -> History:
        """The history of the pre-training that a fold started from."""
        for stage in self._pretrainings if record["pretraining"] else ():
            if not differing(stage, record["pretraining"], self.session.but):
                history: History = stage["history"]
                return history
        return []


def _samples_of(record: Record) -> frozenset[str]:
    """All samples that a fold uses."""
    return frozenset(record["train"] + record["val"] + record["samples"])


def _refuse_other_splits(records: Sequence[Record], config: Settings) -> None:
    """Raises UserError where records are not folds of one split."""
    tested = [sample for record in records for sample in record["samples"]]
    one_split = config.people or len({_samples_of(record) for record in records}) == 1
    if len(set(tested)) < len(tested) or not one_split or len(records) > records[0]["folds"]:
        raise UserError("its records are not the folds of one split")


def _refuse_lengths(record: Record, rules: Iterable[str], metrics: Sequence[str]) -> None:
    """Raises UserError where not all lists of a record have an entry for each of its samples."""
    lengths = {len(record[name]) for name in ("samples", "subjects", "corpora", "targets")}
    lengths |= {len(predicted(record, rule, metric)) for rule in rules for metric in metrics}
    if len(lengths) > 1:
        raise UserError(f"the record of {record['fold']} has lists of different lengths")
