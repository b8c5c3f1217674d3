"""A paper's rows on the data at hand: experiments and pre-trainings, and where their records lie."""

import dataclasses
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load

from .. import keys
from ..corpora import CORPORA
from ..corpora.samples import CorpusMissing, Problem, Reading, aligned
from ..errors import UserError, log
from ..files import digest, held, locked, plain, read_json, write_json
from ..pixels.boxes import DetectorMissing, boxed
from ..pixels.videos import decoded
from ..protocols import Fold
from ..tasks import TASKS, Task
from .fold import FoldTraining
from .paper import Column, Paper, PretrainingData, Row
from .pretraining import Needs, Pretraining
from .weights import mislaid


@dataclass(eq=False)
class Session:
    """The data, the place and the settings of one invocation."""

    paper: Paper
    out: Path
    data: Path
    scale: str
    generated: bool
    overrides: Mapping[str, str]
    weights_dir: Path = Path("weights")
    shuffled: bool = False  # the control: labels permuted among the samples
    keep_weights: bool = True  # of each fold, beside its record
    editions: Mapping[str, str] = field(default_factory=dict)  # corpus -> the edition asked for, whatever the task's
    chosen_rule: str = ""  # instead of the paper's
    accept_code: bool = False  # use records that other code has made

    @cached_property
    def base(self) -> Any:
        return self.paper.base(self.scale, self.overrides)

    @property
    def rule(self) -> str:
        """Which epoch is scored: the paper's choice, or that of --rule."""
        return self.chosen_rule or self.paper.rule

    @property
    def folder(self) -> Path:
        other = f"-{self.rule}" * (self.rule != self.paper.rule)
        kind = self.scale + "-generated" * self.generated + "-shuffled" * self.shuffled + other
        return self.out / self.paper.name / kind

    @property
    def prepared(self) -> Path:
        return self.out / "cache"

    @property
    def but(self) -> tuple[str, ...]:
        """Entries of a record's settings that may differ."""
        return ("code",) * self.accept_code

    @cache  # noqa: B019 (a session lives as long as its process)
    def reading(self, corpus: str, edition: str | None = None) -> Reading | str:
        """What the paper uses of a corpus on disk, videos decoded and faces found, or why it cannot be used.

        Of several editions the one that the user asked for, else `edition` where it is there, else the reader's first.
        """
        read, asked = CORPORA[corpus].read, self.editions.get(corpus)
        try:
            found = read(self.data, edition=asked) if asked else read(self.data)
            if not asked and edition in found.editions and edition != found.edition:
                found = read(self.data, edition=edition)
            found = dataclasses.replace(found, samples=self.paper.used(found.samples, self.base))
            return boxed(decoded(found, self.prepared), self.prepared)
        except (CorpusMissing, DetectorMissing) as error:
            return str(error)

    @cache  # noqa: B019
    def key(self, corpus: str) -> dict[str, Any]:
        """What a pre-training on a corpus depends on: its labels, clips, boxes and image files."""
        samples = self.reading(corpus).samples
        return {**keys.table(samples), "pixels": keys.pixels(samples)}

    @cached_property
    def code(self) -> str:
        """The code that trains and scores, of the package and of `shared`; not that of tables and figures."""
        return keys.code(f"{self.paper.name}.train", f"{self.paper.name}.data", "shared.runs.engine")

    def files(self, config: Any) -> dict[str, str]:
        """The published files that a Config starts from, and their content."""
        return keys.published(self.weights_dir, self.paper.files(config))

    def experiments(self, row: Row, column: Column, seeds: int) -> list["Experiment"]:
        if row.records:
            paper, row, column = self.paper.lent(row, column)
            return self.lender(paper).experiments(row, column, seeds)
        config = dataclasses.replace(self.base, **{**row.changes, **column.changes})
        return [Experiment(self, TASKS[column.task], config, seed) for seed in range(seeds)]

    @cache  # noqa: B019
    def lender(self, paper: Paper) -> "Session":
        """The session of another paper, with its own settings, on the same data and in the same place."""
        return dataclasses.replace(self, paper=paper, overrides={}, chosen_rule="")

    def selected(self, task: Task) -> tuple[pd.DataFrame, list[Problem]]:
        """The task's samples as read, before any of their pixels, and what is broken in what was read."""
        readings = [self.reading(c, task.edition.get(c)) for c in task.corpora]
        samples = task.select(pd.concat([r.samples for r in readings], ignore_index=True))
        return samples, [p for r in readings for p in r.problems]

    @lru_cache(maxsize=1)  # noqa: B019
    def inputs(self, task: Task, config: Any) -> tuple[pd.DataFrame, Any]:
        """The task's samples that can be used, and the paper's data, row by row alike.

        Raises UserError, with every problem there is, when no sample is left.
        """
        samples, problems = self.selected(task)
        if self.shuffled:
            order = np.random.default_rng(0).permutation(len(samples))
            samples["target"] = samples["target"].to_numpy()[order]
        if len(samples):
            data = self.paper.load(samples, config, self.prepared)
            samples = aligned(samples, data.ids)
            problems += data.problems
        if samples.empty:
            lines = [f"{task.name}: no sample in {self.data} can be used", *map(str, problems)]
            raise UserError("\n  ".join(lines))
        return samples, data

    @lru_cache(maxsize=1)  # noqa: B019
    def pretraining_data(self, needs: tuple[tuple[str, Any], ...]) -> PretrainingData:
        """What a pre-training learns from. Raises UserError, with every problem there is, when that is nothing."""
        needs = Needs(dict(needs))
        readings = {corpus: self.reading(corpus) for corpus in needs.corpora}
        data = self.paper.pretraining_data({c: r.samples for c, r in readings.items()}, needs, self.prepared)
        if not len(data):
            what = f"pre-training of {self.paper.name}: nothing of {', '.join(readings)} in {self.data} can be used"
            problems = [p for r in readings.values() for p in r.problems] + data.problems
            raise UserError("\n  ".join([what, *map(str, problems)]))
        return data

    @cache  # noqa: B019
    def described(self, task: Task, config: Any) -> dict[str, Any]:
        """The task's data, for records: which editions, samples and pixels."""
        samples, data = self.inputs(task, config)
        editions = {c: self.reading(c, task.edition.get(c)).edition for c in task.corpora}
        return {"editions": editions, **keys.table(samples), "pixels": data.digest}

    def problems(self, experiments: list["Experiment"], *, pixels: bool = True) -> list[Problem]:
        """Every broken row that `experiments` and their pre-trainings meet and, with `pixels`, every broken image."""
        readings = {id(r): r for e in experiments for r in e.readings.values()}.values()
        found = list(dict.fromkeys(p for r in readings for p in r.problems))
        if not pixels:
            return found
        for task, config in dict.fromkeys((e.task, e.config) for e in experiments):
            found += [p for p in self.inputs(task, config)[1].problems if p not in found]
        for stage in {str(e.pretraining.needs): e.pretraining for e in experiments if e.pretraining}.values():
            found += [p for p in stage.data.problems if p not in found]
        return found


@dataclass(frozen=True)
class Experiment:
    """One configuration on one task with one seed: some folds, each a record on disk. Rows of tables share them."""

    session: Session = field(compare=False, repr=False)
    task: Task
    config: Any
    seed: int

    @property
    def paper(self) -> Paper:
        return self.session.paper

    @property
    def identity(self) -> str:
        """In what the configuration differs from the paper's own method, as a name for folders and seeds."""
        return slug(differences(self.config, self.session.base))

    @property
    def name(self) -> str:
        return f"{self.paper.name} {self.task.name} {self.identity}"

    @property
    def folder(self) -> Path:
        return self.session.folder / self.task.name / self.identity / f"seed-{self.seed}"

    @property
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
        return {corpus: reading.edition for corpus, reading in self.readings.items()}

    def missing(self) -> list[str]:
        """Why it cannot run here: a line for each corpus that is not there."""
        return [reason for reason in self.readings.values() if isinstance(reason, str)]

    @property
    def samples(self) -> pd.DataFrame:
        return self.session.inputs(self.task, self.config)[0]

    def data(self, device: torch.device) -> Any:
        return self.session.inputs(self.task, self.config)[1]

    @property
    def folds(self) -> list[Fold]:
        return self.task.folds(self.samples, seed=self.seed, validation=self.session.rule == "val")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics by which epochs are compared; the first chooses the weights that are kept."""
        return self.paper.metrics(self.task.name)

    def record_path(self, fold: Fold) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.+-]', '_', fold.name)}.json"

    def settings(self) -> dict[str, Any]:
        """What has to be the same for a record to be this experiment's."""
        return {
            "paper": self.paper.name,
            "task": self.task.name,
            "scale": self.session.scale,
            "generated": self.session.generated,
            "shuffled": self.session.shuffled,
            "seed": self.seed,
            "rule": self.session.rule,
            "metrics": list(self.metrics),
            "config": dataclasses.asdict(self.config),
            "data": self.session.described(self.task, self.config),
            "published": self.session.files(self.config),
            "code": self.session.code,
            "pretraining": self.pretraining and self.pretraining.settings(),
        }

    def claim_settings(self) -> None:
        """Write the settings of the folder's folds, or compare them: two commands never mix theirs in one folder."""
        claim_settings(self.folder, self.settings(), self.session.but)

    def records(self) -> list[dict]:
        """The records there are. Raises UserError when one is of other settings, data, code or folds.

        Each has the ids of its fold, of which all together test every sample once: a copied record is none of them.
        """
        if not self.folder.exists():
            return []
        wanted, found = self.settings(), []
        for fold in self.folds:
            if (path := self.record_path(fold)).exists():
                record = read_json(path)
                keys.refuse_others(path, record, wanted | parts_of(fold), self.session.but)
                found.append(record)
        return found

    def mislaid(self) -> list[str]:
        """What is wrong with weights that the records say were kept."""
        paths = {fold.name: self.record_path(fold) for fold in self.folds}
        return [line for r in self.records() if (line := mislaid(paths[r["fold"]], r))]

    def tested(self, part: Callable[[dict], Sequence]) -> dict[str, Any]:
        """sample -> what `part` gives of its fold's record for it."""
        return {s: value for r in self.records() for s, value in zip(r["samples"], part(r), strict=True)}

    def scores(self) -> dict[str, list]:
        """sample -> its scores (classes or AUs) at the epoch that the rule scores."""
        return self.tested(lambda record: predicted(record, self.session.rule, self.metrics[0]))

    def tell(self, fold: Fold, training: FoldTraining) -> None:
        done, last = sum(self.record_path(f).exists() for f in self.folds), training.history[-1]
        terms = ", ".join(f"{k} {v:.3f}" for k, v in last.items() if k != "epoch")
        log(f"{self.name} [{done}/{len(self.folds)}] {fold.name}: {terms}")


@dataclass(frozen=True)
class PretrainingRun:
    """A pre-training that experiments share: what it depends on is `needs`, with the corpora under "corpora"."""

    session: Session
    task: Task
    config: Any
    seed: int
    needs: Mapping[str, Any]

    @property
    def paper(self) -> Paper:
        return self.session.paper

    @property
    def corpora(self) -> tuple[str, ...]:
        return self.needs["corpora"]

    @property
    def identity(self) -> str:
        """In what it differs from the paper's own method on the first task of its tables, as a name."""
        base = self.paper.pretraining(self.session.base, TASKS[self.paper.tables[0].columns[0].task]) or {}
        return slug({k: v for k, v in self.needs.items() if base.get(k) != v})

    @property
    def name(self) -> str:
        return f"{self.paper.name} pre-training {self.identity}"

    @property
    def folder(self) -> Path:
        return self.session.folder / "pretraining" / self.identity / f"seed-{self.seed}"

    @property
    def weights_path(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def data(self) -> PretrainingData:
        return self.session.pretraining_data(tuple(self.needs.items()))

    def settings(self) -> dict[str, Any]:
        return {
            "paper": self.paper.name,
            "scale": self.session.scale,
            "generated": self.session.generated,
            "seed": self.seed,
            "needs": dict(self.needs),
            "data": {c: self.session.key(c) for c in self.corpora},
            "published": self.session.files(self.config),
            "code": self.session.code,
        }

    def claim_settings(self) -> None:
        """Write the settings of the pre-training's folder, or compare them."""
        claim_settings(self.folder, self.settings(), self.session.but)

    def done(self) -> bool:
        path = self.folder / "record.json"
        if not path.exists():
            return False
        keys.refuse_others(path, read_json(path), self.settings(), self.session.but)
        return True

    def load(self) -> dict[str, torch.Tensor]:
        """The weights. Raises UserError when they are not those that were written."""
        content = self.weights_path.read_bytes() if self.weights_path.exists() else b""
        if read_json(self.folder / "record.json")["weights"] != zlib.crc32(content):
            raise UserError(
                f"{self.weights_path} is not the file that was written; remove {self.folder} and rerun; the rest stays"
            )
        return load(content)

    def history(self) -> list[dict[str, float]]:
        return read_json(self.folder / "record.json")["history"]

    def tell(self, pretraining: Pretraining) -> None:
        log(f"{self.name}: done, {len(pretraining.history)} epochs")


def parts_of(fold: Fold) -> dict[str, Any]:
    """What a record says of its fold."""
    return {"fold": fold.name, "train": list(fold.train), "val": list(fold.val), "samples": list(fold.test)}


def claim_settings(folder: Path, settings: Mapping[str, Any], but: Sequence[str]) -> None:
    """Write the settings of a folder's records, or compare them with those there. Raises UserError.

    What no record was made under, and nobody is at work under, is written anew: a first try may have ended at once.
    """
    path, lock = folder / ".claims" / "settings.json", folder / ".claims" / "settings.lock"
    with locked(lock):
        claims = [*folder.glob(".claims/*.lock"), folder.parent / ".claims" / f"{folder.name}.lock"]
        there = read_json(path) if path.exists() else None
        if there is not None and (any(folder.glob("*.json")) or any(held(p) for p in claims if p != lock)):
            keys.refuse_others(path, there, settings, but)
        elif there != (wanted := plain(settings)):
            write_json(path, wanted)


def predicted(record: Mapping, rule: str, metric: str, output: str = "") -> list:
    """The scores of a fold's test samples at the epoch that a rule chooses by a metric for an output."""
    predictions = record["predictions"]
    return predictions["scores"][predictions["epochs"][rule][metric][output]][output]


def differences(config: Any, base: Any) -> dict[str, Any]:
    """The fields of `config` that are not as in `base`."""
    return {
        f.name: getattr(config, f.name)
        for f in dataclasses.fields(config)
        if getattr(config, f.name) != getattr(base, f.name)
    }


def slug(changes: Mapping[str, Any]) -> str:
    """A folder's name for some settings: readable, and short."""
    parts = []
    for key in sorted(changes):
        value = changes[key]
        text = "-".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
        parts.append(f"{key}={re.sub(r'[^A-Za-z0-9.+-]', '_', text)}")
    name = ",".join(parts) or "default"
    return name if len(name) <= 120 else f"{name[:100]}-{digest(dict(changes))}"
