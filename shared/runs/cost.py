"""The cost of a run, estimated from a few timed steps of each experiment and pre-training: `--dry-run`."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ..errors import log
from .engine import explained_memory, fold_seed, given, given_to_pretrain, prepare_process
from .experiment import Experiment, PretrainingRun
from .fold import FoldTraining, Outputs, seed_of
from .parallel import Alone, Batches
from .pretraining import Pretraining

STEPS, SECONDS = 10, 60.0  # timed of each stage, whichever ends first; at least two steps, after one to warm up


@dataclass
class Stage:
    """The steps of a stage of a training: how many there are, and the clock after each of those that were taken."""

    device: torch.device
    epochs: int
    per_epoch: int = 0  # 0: as many as were taken in the first epoch
    clock: list[float] = field(default_factory=list)
    scoring: float = 0.0  # seconds of an epoch's scoring

    def tick(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.clock.append(time.monotonic())

    @property
    def enough(self) -> bool:
        taken = len(self.clock) - 1
        return taken >= STEPS or (taken >= 2 and self.clock[-1] - self.clock[0] > SECONDS)

    @property
    def steps(self) -> int:
        return self.epochs * (self.per_epoch or len(self.clock))

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return (self.clock[-1] - self.clock[0]) / max(len(self.clock) - 1, 1)

    @property
    def seconds(self) -> float:
        return self.steps * self.step + self.epochs * self.scoring

    def __str__(self) -> str:
        scoring = f" and {self.epochs} scorings of {duration(self.scoring)}" if self.scoring else ""
        return f"{self.steps} steps of {duration(self.step)}{scoring}"


@dataclass
class TimedFold(FoldTraining[Any, Any]):
    """The training of a fold, of which every stage ends after a few steps."""

    stages: list[Stage] = field(default_factory=list)

    def epochs(self, number: int) -> Iterator[int]:
        self.stages.append(stage := Stage(self.device, number))
        for epoch in range(number):
            yield epoch
            stage.per_epoch = stage.per_epoch or len(stage.clock)
            if stage.enough:
                return

    def shuffled(self, rows: Tensor, least: int = 2, stage: str = "training") -> Iterator[Tensor]:
        batches = list(super().shuffled(rows, least, stage))
        self.stages[-1].per_epoch = len(batches)
        for batch in batches:
            if self.stages[-1].enough:
                return
            yield batch

    def note(self, rows: Tensor, **terms: Tensor) -> None:
        super().note(rows, **terms)
        self.stages[-1].tick()

    def score(self, epoch: int, predict: Callable[[Tensor], Outputs], **losses: float) -> None:
        begun = time.monotonic()
        super().score(epoch, predict, **losses)
        if self.stages:
            stage, taken = self.stages[-1], time.monotonic() - begun
            stage.scoring, stage.clock = taken, [at + taken for at in stage.clock]


@dataclass
class TimedPretraining(Pretraining[Any]):
    """A pre-training that ends after a few steps."""

    stage: Stage | None = None

    def batches(self, *, epochs: int, batch: int) -> Iterator[tuple[int, bool, Any]]:
        a_step = Batches(len(self.data), batch=batch, epochs=epochs, seed=self.seed)
        self.stage = Stage(self.device, epochs, a_step.steps)
        for epoch, last, content in super().batches(epochs=epochs, batch=batch):
            yield epoch, last, content
            self.stage.tick()
            if self.stage.enough:
                break
        if not self.history:
            self._end_of_epoch(0, epochs, len(self.stage.clock))


def estimate(todo: Collection[Experiment], device: torch.device, workers: int | None, name: str) -> list[str]:
    """Lines that say what `todo` would take in one process; its input is prepared, and nothing else is kept."""
    if device.type == "cpu":
        torch.set_num_threads(1)  # as in a run
    torch.optim.SGD([torch.zeros(1)], lr=1.0)  # the first optimiser imports for seconds, which is not a fold's cost
    lines, total, size = [], 0.0, 0
    weights: dict[Path, dict[str, Tensor]] = {}
    folds: dict[str, tuple[TimedFold, float]] = {}  # by the name that all seeds share
    for experiment in todo:
        stage = experiment.pretraining
        if stage and stage.folder not in weights:
            log(f"{stage.name}: timing")
            timed, weights[stage.folder], rest = _time_pretraining(stage, device, workers)
            if timed:
                seconds = timed.seconds + rest
                lines.append(f"{stage.name}: {timed}: {duration(seconds)}")
                total += seconds
        if experiment.name not in folds:
            log(f"{experiment.name}: timing")
            folds[experiment.name] = _time_fold(experiment, device, weights[stage.folder] if stage else None)
        training, rest = folds[experiment.name]
        missing = len(experiment.folds) - len(experiment.records())
        seconds = sum(part.seconds for part in training.stages) + rest
        steps = ", then ".join(map(str, training.stages))
        each = f"{missing} folds of {duration(seconds)}{f' ({steps})' if steps else ''}"
        lines.append(f"{experiment.name}, seed {experiment.seed}: {each}: {duration(missing * seconds)}")
        total += missing * seconds
        if experiment.session.keep_weights:
            size += missing * sum(v.nbytes for v in training.learned.values())
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "a core of this machine"
    lines.append(f"{name}: {duration(total)} in one process on {where}, from at most {STEPS} steps of each stage")
    prepared = [path for folder in {e.session.prepared for e in todo} for path in folder.rglob("*") if path.is_file()]
    cache = sum(path.stat().st_size for path in prepared)
    lines.append(f"disk: {space(cache)} of prepared input, which is there now; {space(size)} of weights to come")
    if device.type == "cuda":
        lines.append(f"memory of the GPU: at most {space(torch.cuda.max_memory_reserved(device))} in one process")
    return lines


def _time_pretraining(
    stage: PretrainingRun, device: torch.device, workers: int | None
) -> tuple[Stage | None, dict[str, Tensor], float]:
    """The timed steps, the weights after them, and the seconds that do not depend on the steps."""
    if stage.done():
        return None, stage.load(), 0.0
    prepare_process(seed_of("pre-training", stage.seed), stage.config)
    assert stage.paper.pretrain is not None
    what = given_to_pretrain(stage, Alone(device), workers)
    with TemporaryDirectory() as folder, explained_memory(stage.name, "the batch of the pre-training"):
        begun = time.monotonic()
        timed = TimedPretraining(**what, folder=Path(folder), timed=True)
        weights = stage.paper.pretrain(timed)
        return timed.stage, weights, time.monotonic() - begun - (timed.waited + timed.worked)


def _time_fold(
    experiment: Experiment, device: torch.device, pretrained: dict[str, Tensor] | None
) -> tuple[TimedFold, float]:
    """The first fold's training with its timed steps, and the seconds that do not depend on the steps."""
    fold = experiment.folds[0]
    what = given(experiment, fold, device)
    prepare_process(fold_seed(experiment, fold), experiment.config)
    begun = time.monotonic()
    training = TimedFold(**what, pretrained=pretrained)
    with explained_memory(training.name, f"batch={experiment.config.batch}"):
        experiment.paper.train(training)
    spent = sum(part.step * len(part.clock) + part.scoring for part in training.stages)
    return training, max(time.monotonic() - begun - spent, 0.0)


def duration(seconds: float) -> str:
    """In the unit that suits."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"


def space(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
