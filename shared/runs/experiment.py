"""Runs: what is computed once under one set of settings and kept in a folder, experiments and their pre-trainings."""

import dataclasses
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from safetensors.torch import load_file
from torch import Tensor

from .. import keys
from ..corpora.samples import Reading
from ..errors import UserError
from ..files import digest, held, intact, jsonable, locked, read_json, sweep, write_json
from ..protocols import Fold, with_people
from ..tasks import TASKS, Task
from .config import Settings, differences
from .fold import Record, Rule
from .paper import AnyPaper, PretrainingData
from .weights import weights_fault, weights_of_a_run

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Run:
    """One configuration with one seed, in a folder of its own."""

    session: "Session" = field(compare=False, repr=False)
    task: Task
    config: Settings
    seed: int

    @property
    def paper(self) -> AnyPaper:
        return self.session.paper

    @property
    @abstractmethod
    def folder(self) -> Path: ...

    @cached_property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The values that have to be equal for a record to be this run's."""

    def common(self, *, pretraining: bool = False) -> dict[str, Any]:
        """The settings that runs of both kinds have."""
        return {
            "paper": self.paper.name,
            "scale": self.session.scale,
            "generated": self.session.generated,
            "seed": self.seed,
            "published": self.session.files(self.config, pretraining=pretraining),
            "code": self.session.code,
        }

    def claim_settings(self) -> None:
        """Write the settings of the folder, or compare them: two commands never mix their records in one folder.

        Settings under which no record was made and nobody works are replaced: a first try may have ended at once.
        Raises UserError.
        """
        path, lock = self.folder / ".claims" / "settings.json", self.folder / ".claims" / "settings.lock"
        with locked(lock):
            claims = [*self.folder.glob(".claims/*.lock"), self.folder.parent / ".claims" / f"{self.folder.name}.lock"]
            there = read_json(path) if path.exists() else None
            if there is not None and (any(self.folder.glob("*.json")) or any(held(p) for p in claims if p != lock)):
                keys.refuse_others(path, there, self.settings, self.session.but)
            elif there != (wanted := jsonable(self.settings)):
                sweep(path.parent, path.name)
                write_json(path, wanted)

    def read(self, path: Path, **more: Any) -> Record | None:
        """The record in `path`, once it is there: read, and compared with the settings and `more`, once a session.

        Raises UserError when it was made under others.
        """
        known = self.session.records
        if path not in known:
            if not path.exists():
                return None
            record = read_json(path)
            keys.refuse_others(path, record, self.settings | more, self.session.but)
            known[path] = record
        return known[path]


@dataclass(frozen=True)
class Experiment(Run):
    """One configuration on one task with one seed: some folds, each a record on disk. Rows of tables share them."""

    @property
    def identity(self) -> str:
        """Folder name built from the settings that differ from the paper's own method."""
        return slug(differences(self.config, self.session.base))

    @property
    def name(self) -> str:
        return f"{self.paper.name} {self.task.name} {self.identity}"

    @property
    def folder(self) -> Path:
        return self.session.folder / self.task.name / self.identity / f"seed-{self.seed}"

    @cached_property
    def pretraining(self) -> "PretrainingRun | None":
        needs = self.paper.pretraining(self.config, self.task)
        return PretrainingRun(self.session, self.task, self.config, self.seed, needs) if needs else None

    @property
    def corpora(self) -> tuple[str, ...]:
        return (*self.task.corpora, *(self.pretraining.corpora if self.pretraining else ()))

    @property
    def readings(self) -> dict[str, Reading | str]:
        """Each corpus in the edition of the task, or why it cannot be used."""
        return {c: self.session.reading(c, self.task.edition.get(c)) for c in self.corpora}

    @property
    def editions(self) -> dict[str, str]:
        return {corpus: r.edition for corpus, r in self.readings.items() if isinstance(r, Reading)}

    def missing(self) -> list[str]:
        """Why it cannot run here: a line for each corpus that is missing."""
        needed = {*self.task.missing_corpora(self.editions), *(self.pretraining.corpora if self.pretraining else ())}
        return [found for corpus, found in self.readings.items() if corpus in needed and isinstance(found, str)]

    @property
    def samples(self) -> pd.DataFrame:
        return self.session.inputs(self.task, self.config)[0]

    @property
    def data(self) -> Any:
        """The result of the paper's `load`, a row a sample."""
        return self.session.inputs(self.task, self.config)[1]

    @cached_property
    def folds(self) -> list[Fold]:
        folds = self.task.folds(self.samples, seed=self.seed, validation=self.session.rule == "val")
        people = self.config.people
        return with_people(folds, self.samples, people, self.seed) if people else folds

    @property
    def rule(self) -> Rule:
        """The epoch that is scored, and whose weights are kept."""
        return self.session.rule

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics by which epochs are compared; the first chooses the weights that are kept."""
        return self.paper.metrics(self.task.name)

    def record_path(self, fold: Fold) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.+-]', '_', fold.name)}.json"

    @cached_property
    def settings(self) -> dict[str, Any]:
        return {
            **self.common(),
            "task": self.task.name,
            "shuffled": self.session.shuffled,
            "rule": self.rule,
            "metrics": list(self.metrics),
            "config": dataclasses.asdict(self.config),
            "data": self.session.described(self.task, self.config),
            "pretraining": self.pretraining and self.pretraining.settings,
        }

    def records(self) -> list[Record]:
        """The records of the finished folds. Raises UserError when one is of other settings, data, code or folds.

        Each has the ids of its fold, and all folds together test every sample once: a copied record is refused.
        """
        if not self.folder.exists():
            return []
        found = (self.read(self.record_path(fold), **parts_of(fold)) for fold in self.folds)
        return [record for record in found if record is not None]

    def mislaid(self) -> list[str]:
        """A line for each fold whose weights are missing, or not those that its record says were kept."""
        paths = {fold.name: self.record_path(fold) for fold in self.folds}
        return [line for r in self.records() if (line := weights_fault(paths[r["fold"]], r))]

    def tested(self, part: Callable[[Record], Sequence[Any]]) -> dict[str, Any]:
        """sample -> its value in `part` of its fold's record."""
        return {s: value for r in self.records() for s, value in zip(r["samples"], part(r), strict=True)}

    def scores(self) -> dict[str, list[float]]:
        """sample -> its scores (classes or AUs) at the epoch that the rule scores."""
        return self.tested(lambda record: predicted(record, self.session.rule, self.metrics[0]))


@dataclass(frozen=True)
class FittedRun(Experiment):
    """A network for use: trained on all samples of its task to the last epoch. Nothing is left to test it on.

    Its one fold tests a sample that it trains on, because a training scores something; no score of that is kept.
    """

    @property
    def folder(self) -> Path:
        return self.session.folder / "fit" / self.task.name / self.identity / f"seed-{self.seed}"

    @cached_property
    def folds(self) -> list[Fold]:
        everything = tuple(self.samples["sample"])
        return [Fold("all subjects", everything, everything[:1])]

    @property
    def rule(self) -> Rule:
        return "last"

    def record_path(self, fold: Fold) -> Path:
        return self.folder / "model.json"


@dataclass(frozen=True)
class PretrainingRun(Run):
    """A pre-training that experiments share: what it depends on is `needs`, with the corpora under "corpora"."""

    needs: Mapping[str, Any]

    @property
    def corpora(self) -> tuple[str, ...]:
        return tuple(self.needs["corpora"])

    @property
    def identity(self) -> str:
        """Folder name built from what differs from the paper's own method on the first task of its tables."""
        base = self.paper.pretraining(self.session.base, TASKS[self.paper.tables[0].columns[0].task]) or {}
        return slug({k: v for k, v in self.needs.items() if base.get(k) != v})

    @property
    def name(self) -> str:
        return f"{self.paper.name} pre-training {self.identity}"

    @property
    def folder(self) -> Path:
        return self.session.pretrainings / self.identity / f"seed-{self.seed}"

    @property
    def weights_path(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def data(self) -> PretrainingData:
        return self.session.pretraining_data(tuple(self.needs.items()))

    @cached_property
    def settings(self) -> dict[str, Any]:
        common, data = self.common(pretraining=True), {c: self.session.key(c) for c in self.corpora}
        return {**common, "needs": dict(self.needs), "data": data}

    @property
    def record_path(self) -> Path:
        return self.folder / "record.json"

    def record(self) -> Record | None:
        return self.read(self.record_path)

    def done(self) -> bool:
        return self.record() is not None

    def load(self) -> dict[str, Tensor]:
        """The weights. Raises UserError when they are not those that were written."""
        record = self.record()
        if record is None or not intact(self.weights_path, record["weights"]):
            remedy = f"remove {self.folder} and rerun: the rest is kept"
            raise UserError(f"{self.weights_path} is not the file that was written; {remedy}")
        with weights_of_a_run(self.weights_path):
            return load_file(self.weights_path)

    def history(self) -> list[dict[str, float]]:
        record = self.record()
        return record["history"] if record else []


def parts_of(fold: Fold) -> dict[str, Any]:
    """The entries of a record that name its fold."""
    return {"fold": fold.name, "train": list(fold.train), "val": list(fold.val), "samples": list(fold.test)}


def predicted(record: Mapping, rule: str, metric: str, output: str = "") -> list:
    """The scores of a fold's test samples at the epoch that a rule chooses by a metric for an output."""
    predictions = record["predictions"]
    return predictions["scores"][predictions["epochs"][rule][metric][output]][output]


def slug(changes: Mapping[str, Any]) -> str:
    """A folder's name for some settings: readable, and short."""
    parts = []
    for key in sorted(changes):
        value = changes[key]
        text = "-".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
        parts.append(f"{key}={re.sub(r'[^A-Za-z0-9.+-]', '_', text)}")
    name = ",".join(parts) or "default"
    return name if len(name) <= 120 else f"{name[:100]}-{digest(dict(changes))}"
