"""A session: one invocation, with its data, output folder, scale and overrides."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from .. import keys
from ..corpora import CORPORA
from ..corpora.samples import CorpusMissing, Problem, Reading, aligned
from ..errors import UserError
from ..pixels.boxes import DetectorMissing, boxed
from ..pixels.videos import decoded
from ..tasks import TASKS, Task
from .config import Settings, changed, differences
from .experiment import Experiment
from .fold import Record, Rule
from .paper import AnyPaper, Column, PretrainingData, Row
from .pretraining import Needs
from .yardstick import YARDSTICK, unfit


@dataclass(eq=False)
class Session:
    """The data, the place and the settings of one invocation."""

    paper: AnyPaper
    out: Path
    data: Path
    scale: str
    generated: bool
    overrides: Mapping[str, str]
    weights_dir: Path = Path("weights")
    shuffled: bool = False  # the control: labels permuted among the samples
    keep_weights: bool = True  # of each fold, beside its record
    editions: Mapping[str, str] = field(default_factory=dict)  # corpus -> the edition asked for, whatever the task's
    chosen_rule: Rule | Literal[""] = ""  # instead of the paper's
    accept_code: bool = False  # use records that other code has made
    records: dict[Path, Record] = field(default_factory=dict, init=False, repr=False)  # those read so far

    @cached_property
    def base(self) -> Settings:
        return self.paper.base(self.scale, self.overrides)

    @cached_property
    def usual(self) -> Settings:
        """What `base` is without --set."""
        return self.paper.base(self.scale, {})

    def changes(self) -> list[str]:
        """The settings that --set has changed, as "name=value"; not those of the machine, which change no method."""
        parts = {f.name: f.metadata["declared"].part for f in dataclasses.fields(self.base)}
        return [f"{k}={v}" for k, v in differences(self.base, self.usual).items() if parts[k] != "machine"]

    def misnamed(self, row: Row) -> str:
        """What is wrong with --set where a row would no longer be what its name says beside the others of its table.

        That is where it changes a setting that alone tells the row from another; a number, such as a rate or a weight,
        only where it takes the other row's value. "" where there is nothing wrong."""
        if not self.overrides:
            return ""
        for key, others in self.paper.neighbours(row).items():
            value = getattr(self.base, key)
            if value != getattr(self.usual, key) and (value in others or not isinstance(value, float)):
                other = others.get(value) or next(iter(others.values()))
                return f"--set {key}={self.overrides[key]}: {key} tells row “{row.name}” from row “{other}”"
        return ""

    @property
    def rule(self) -> Rule:
        """Which epoch is scored: the paper's choice, or that of --rule."""
        return self.chosen_rule or self.paper.rule

    @property
    def folder(self) -> Path:
        other_rule = self.rule if self.rule != self.paper.rule else ""
        parts = [self.scale, "generated" if self.generated else "", "shuffled" if self.shuffled else "", other_rule]
        return self.out / self.paper.name / "-".join(part for part in parts if part)

    @property
    def pretrainings(self) -> Path:
        """The folder of pre-trainings, which know neither rule nor labels."""
        return self.out / self.paper.name / "-".join([self.scale, *["generated"] * self.generated]) / "pretraining"

    @property
    def prepared(self) -> Path:
        return self.out / "cache"

    @property
    def but(self) -> tuple[str, ...]:
        """Entries of a record's settings that may differ."""
        return ("code",) if self.accept_code else ()

    def yardstick(self, task: str, seeds: int) -> list[Experiment]:
        """The yardstick's experiments on a task, one a seed; none where the paper or the task goes without."""
        if not self.paper.yardstick or unfit(TASKS[task]):
            return []
        return [self.lender(YARDSTICK).experiment(TASKS[task], self.yardstick_config, seed) for seed in range(seeds)]

    @property
    def yardstick_config(self) -> Settings:
        """The yardstick's settings: its own, on as many people as the paper's own method."""
        return dataclasses.replace(self.lender(YARDSTICK).base, people=self.base.people)

    @cache  # noqa: B019 (a session lives as long as its process)
    def reading(self, corpus: str, edition: str | None = None) -> Reading | str:
        """The samples of a corpus that the paper uses, videos decoded and faces found, or why it cannot be used.

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

    def present(self, corpus: str) -> Reading:
        """`reading` of a corpus that can be used. Raises UserError where it cannot."""
        found = self.reading(corpus, None)  # as tasks without an edition ask, for the cache
        if isinstance(found, str):
            raise UserError(found)
        return found

    @cache  # noqa: B019
    def key(self, corpus: str) -> dict[str, Any]:
        """The key of a pre-training's corpus: its labels, clips, boxes and image files."""
        samples = self.present(corpus).samples
        return {**keys.table_key(samples), "pixels": keys.pixels_key(samples)}

    @cached_property
    def code(self) -> str:
        """The code that trains and scores, of the package and of `shared`; not that of tables and figures."""
        own = self.paper.code or (f"{self.paper.name}.train", f"{self.paper.name}.data")
        return keys.code_key(*own, __name__, "shared.runs.engine")

    def files(self, config: Settings, *, pretraining: bool = False) -> dict[str, str]:
        """The published files that a Config, or its pre-training, starts from, and their content."""
        names = (self.paper.pretraining_files if pretraining else None) or self.paper.files
        return keys.weights_key(self.weights_dir, names(config))

    def experiments(self, row: Row, column: Column, seeds: int) -> list[Experiment]:
        """A cell's experiments, one a seed; those of the paper that made the records where the row has `records`."""
        if row.records:
            paper, row, column = self.paper.lent(row, column)
            return self.lender(paper).experiments(row, column, seeds)
        config = changed(self.base, {**row.changes, **column.changes})
        return [self.experiment(TASKS[column.task], config, seed) for seed in range(seeds)]

    @cache  # noqa: B019
    def experiment(self, task: Task, config: Settings, seed: int) -> Experiment:
        return Experiment(self, task, config, seed)

    @cache  # noqa: B019
    def lender(self, paper: AnyPaper) -> "Session":
        """The session of another paper, with its own settings, on the same data and in the same place."""
        return dataclasses.replace(self, paper=paper, overrides={}, chosen_rule="")

    def readings(self, task: Task) -> dict[str, Reading]:
        """The corpora that take part in a task: all of its own or, where one is left out in turn, those that are there.

        Raises UserError for a corpus that is missing."""
        found = {corpus: self.reading(corpus, task.edition.get(corpus)) for corpus in task.corpora}
        there = {corpus: reading for corpus, reading in found.items() if isinstance(reading, Reading)}
        for corpus in task.missing_corpora(there):
            raise UserError(found[corpus])
        return there

    def selected(self, task: Task) -> tuple[pd.DataFrame, list[Problem]]:
        """The task's samples as read, before any of their pixels, and what is broken in what was read."""
        readings = self.readings(task).values()
        samples = task.select(pd.concat([r.samples for r in readings], ignore_index=True))
        return samples, [p for r in readings for p in r.problems]

    @lru_cache(maxsize=1)  # noqa: B019
    def inputs(self, task: Task, config: Settings) -> tuple[pd.DataFrame, Any]:
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
        """The data of a pre-training. Raises UserError, with every problem there is, when nothing can be used."""
        settings = Needs(dict(needs))
        readings = {corpus: self.present(corpus) for corpus in settings.corpora}
        assert self.paper.pretraining_data is not None
        data = self.paper.pretraining_data({c: r.samples for c, r in readings.items()}, settings, self.prepared)
        if not len(data):
            what = f"pre-training of {self.paper.name}: nothing of {', '.join(readings)} in {self.data} can be used"
            problems = [p for r in readings.values() for p in r.problems] + data.problems
            raise UserError("\n  ".join([what, *map(str, problems)]))
        return data

    @cache  # noqa: B019
    def described(self, task: Task, config: Settings) -> dict[str, Any]:
        """The task's data, for records: which editions, samples and pixels."""
        samples, data = self.inputs(task, config)
        editions = {corpus: reading.edition for corpus, reading in self.readings(task).items()}
        return {"editions": editions, **keys.table_key(samples), "pixels": data.digest}

    def left_out(self, task: Task, config: Settings) -> list[str]:
        """What is broken of a task's corpora and left out: the samples, or rows of sheets by their numbers."""
        problems = self.selected(task)[1] + self.inputs(task, config)[1].problems
        names = set()
        for p in problems:
            file = Path(p.where).name
            names |= {p.sample or (file if p.row is None else f"row {p.row} of {file}"), *p.others}
        return sorted(names)

    def problems(self, experiments: Sequence[Experiment], *, pixels: bool = True) -> list[Problem]:
        """Every broken row that `experiments` and their pre-trainings meet and, with `pixels`, every broken image."""
        readings = [r for e in experiments for r in e.readings.values() if isinstance(r, Reading)]
        found = dict.fromkeys(p for r in readings for p in r.problems)
        if pixels:
            for session, task, config in dict.fromkeys((e.session, e.task, e.config) for e in experiments):
                found |= dict.fromkeys(session.inputs(task, config)[1].problems)
            stages = {(e.session, str(e.pretraining.needs)): e.pretraining for e in experiments if e.pretraining}
            for stage in stages.values():
                found |= dict.fromkeys(stage.data.problems)
        return list(found)
