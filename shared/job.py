"""What a training is given and where it reports: Job for a fold, Pretraining for what comes before."""

import hashlib
import io
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from . import metrics
from .errors import UserError
from .keys import refuse_others
from .parallel import Batches, synchronised
from .protocols import Fold
from .records import plain, sealed, sealing
from .tasks import Task


@dataclass
class Job:
    """What a fold's training is given, and where it reports."""

    name: str
    config: Any
    task: Task
    fold: Fold
    data: Any  # what the paper's `load` returned; `data.ids` names its rows
    samples: pd.DataFrame  # the task's samples, one a row of `data`
    seed: int  # of (task, fold, seed): the same for all rows of a table
    device: torch.device
    pretrained: dict[str, Tensor] | None = None
    weights: Path = Path("weights")  # folder of published weights
    rule: str = "last"  # the epoch that is scored: "last", "val" or "best_on_test"
    metrics: tuple[str, ...] = ()  # by which epochs are compared; the first chooses the weights that are kept
    pretraining_data: Callable[[], Any] | None = None  # reads what the pre-training learnt from
    network: nn.Module | None = None  # what `build` made
    made: dict[str, Any] = field(default_factory=dict)  # how
    best: dict[str, Tensor] = field(default_factory=dict)  # its weights at the scored epoch, where that is not the last
    history: list[dict[str, float]] = field(default_factory=list)
    predictions: dict[str, dict] = field(default_factory=lambda: {"epochs": {}, "scores": {}})
    figures: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)  # suffix -> content, beside the record: not to be shared
    times: dict[str, float] = field(default_factory=dict)  # seconds, for the record
    _merits: dict[tuple[str, str, str], float] = field(default_factory=dict)  # the best so far of rule, metric, output

    def __post_init__(self) -> None:
        self.metrics = self.metrics or (self.task.metric,)
        self._generators: dict[str, torch.Generator] = {}

    def rows(self, part: str) -> Tensor:
        """Rows of `data` that the fold's "train", "val" or "test" part takes: (n,) int64 on the device."""
        place = {sample: i for i, sample in enumerate(self.samples["sample"])}
        return torch.tensor([place[s] for s in getattr(self.fold, part)], dtype=torch.long, device=self.device)

    def generator(self, name: str) -> torch.Generator:
        """The fold's generator for one purpose, on the CPU.

        Initial weights and dropout draw from torch's global one: rows of other networks still meet the same batches.
        """
        if name not in self._generators:
            self._generators[name] = torch.Generator().manual_seed(seed_of(self.seed, name))
        return self._generators[name]

    @property
    def augmentation(self) -> torch.Generator:
        """What augmentation is drawn from."""
        return self.generator("augmentation")

    def shuffled(self, rows: Tensor, least: int = 2, stage: str = "training") -> Iterator[Tensor]:
        """An epoch's batches of `rows`, in random order; an end of fewer than `least` rows is left out, by default of
        one: batch norm has no statistics of a single face. Each `stage` has an order of its own."""
        order = torch.randperm(len(rows), generator=self.generator(f"batches of {stage}")).to(rows.device)
        return (batch for batch in rows[order].split(self.config.batch) if len(batch) >= least)

    @property
    def targets(self) -> Tensor:
        """Classes (N,) int64, or action units (N, A) float, of all rows, on the device."""
        target = torch.tensor(np.array(self.samples["target"].tolist()), device=self.device)
        return target.float() if self.task.aus else target

    def build(self, make: partial) -> nn.Module:
        """The network that the fold leaves, on the device: of a name that its package exports, and named arguments."""
        self.network = make().to(self.device)
        package = make.func.__module__.rpartition(".")[0]
        self.made = {"package": package, "network": make.func.__name__, "arguments": make.keywords}
        if self.config.compile:
            self.network.compile()
        return self.network

    def check(self, loss: Tensor, epoch: int, rows: Tensor) -> None:
        """Raise UserError naming epoch and samples when a loss is not finite."""
        if not torch.isfinite(loss):
            names = ", ".join(self.samples["sample"].iloc[rows.tolist()])
            raise UserError(f"{self.name}: the loss is {loss.item()} in epoch {epoch + 1}, on {names}")

    def score(self, epoch: int, predict: Callable[[Tensor], Tensor | Mapping[str, Tensor]], **losses: float) -> None:
        """Keep an epoch's scores of the test part: `predict` takes rows (n,) and returns probabilities, (n, classes) or
        (n, AUs), or several such outputs by name, the main one as "".

        Each rule chooses an epoch for each metric and output: "last"; "best_on_test", the best on the test part; where
        the fold has a validation part "val", the best there (ties: the later).
        """
        outputs = {part: self._outputs(predict, part) for part in ("test", "val") if getattr(self.fold, part)}
        entry = {"epoch": epoch + 1, **{k: float(f"{v:.6g}") for k, v in losses.items()}}
        epochs, number = self.predictions["epochs"], str(epoch + 1)
        for metric in self.metrics:
            for name in outputs["test"]:
                merits = {part: self._merit(scores[name], part, metric) for part, scores in outputs.items()}
                if metric == self.metrics[0] and not name:
                    entry |= merits
                rules = {"last": 0.0, "best_on_test": merits["test"], "val": merits.get("val")}
                for rule, merit in rules.items():
                    if merit is not None and merit >= self._merits.get((rule, metric, name), -1.0):
                        self._merits[rule, metric, name] = merit
                        epochs.setdefault(rule, {}).setdefault(metric, {})[name] = number
        self.history.append(entry)
        used = {e for by_metric in epochs.values() for by_name in by_metric.values() for e in by_name.values()}
        self.predictions["scores"][number] = {name: _rounded(scores) for name, scores in outputs["test"].items()}
        self.predictions["scores"] = {e: s for e, s in self.predictions["scores"].items() if e in used}
        if self.rule not in epochs:
            raise UserError(f"{self.name}: rule {self.rule}, and the fold has no validation part")
        if self.network is not None and self.rule != "last" and self.scored_epoch == epoch + 1:
            self.best = {k: v.detach().to("cpu", copy=True) for k, v in self.network.state_dict().items()}

    @property
    def scored_epoch(self) -> int:
        """The epoch that the rule scores, by the first metric."""
        return int(self.predictions["epochs"][self.rule][self.metrics[0]][""])

    def scored(self) -> nn.Module:
        """The network with the weights of the scored epoch, which are kept and of which the figures are drawn."""
        if self.best:
            self.network.load_state_dict(self.best)
        return self.network

    @property
    def learnt(self) -> dict[str, Tensor]:
        """The weights that are kept: those of the scored epoch."""
        return self.best or self.network.state_dict()

    def _outputs(self, predict: Callable, part: str) -> dict[str, Tensor]:
        scores = predict(self.rows(part))
        return {k: v.float().cpu() for k, v in (scores if isinstance(scores, Mapping) else {"": scores}).items()}

    def _merit(self, scores: Tensor, part: str, metric: str) -> float:
        """What epochs are compared by."""
        target = self.targets[self.rows(part)].cpu().numpy()
        answers = (scores > 0.5).numpy() if self.task.aus else scores.argmax(dim=1).numpy()
        return round(metrics.score(target, answers, 2 if self.task.aus else scores.shape[1], metric), 6)


class Needs:
    """What a pre-training may read: the entries of its key, as attributes. What is not in the key cannot be read."""

    def __init__(self, needs: Mapping[str, Any]):
        self.__dict__.update(needs)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the pre-training reads {name}, which its key does not contain: add it in `pretraining`")


@dataclass
class Pretraining:
    """What a pre-training is given: the same loop runs it in one process or data-parallel in several."""

    name: str
    config: Needs  # what its key contains
    task: Task
    data: Any  # what the paper's `pretraining_data` returned
    settings: Mapping[str, Any]  # what has to be the same for a checkpoint to be this pre-training's
    seed: int
    team: Any  # an Accelerator, or Alone
    folder: Path
    weights: Path = Path("weights")  # folder of published weights
    workers: int = 0
    checkpoint_seconds: float = 600.0
    history: list[dict[str, float]] = field(default_factory=list)
    waited: float = 0.0
    worked: float = 0.0
    _state: dict[str, Any] = field(default_factory=dict)
    _start: tuple[int, int] = (0, 0)
    _sums: dict[str, Tensor] = field(default_factory=dict)  # of each term over the epoch's steps so far

    @property
    def device(self) -> torch.device:
        return self.team.device

    @cached_property
    def augmentation(self) -> torch.Generator:
        """What augmentation is drawn from, on the CPU; seeded before each step."""
        return torch.Generator()

    def synchronised(self, model: nn.Module) -> nn.Module:
        """The model on the device; its batch norms see the whole batch where several processes share it."""
        model = synchronised(model.to(self.device), self.team.num_processes)
        if self.config.compile:
            model.compile()
        return model

    def keep(self, **objects: Any) -> None:
        """Name what a checkpoint holds (anything with `state_dict`), and take up the checkpoint there is.

        Raises UserError when that is spoilt, or was made under other settings. Nothing in it is executed.
        """
        self._state = objects
        if (path := self.folder / "checkpoint.pt").exists():
            try:
                if not sealed(path):
                    raise ValueError("its checksum is another")
                saved = torch.load(path, map_location="cpu", weights_only=True)
                refuse_others(path, saved["settings"], self.settings)
                for name, thing in objects.items():
                    thing.load_state_dict(saved[name])
                self.history, self._start = saved["history"], tuple(saved["start"])
                self._sums = {name: value.to(self.device) for name, value in saved["sums"].items()}
            except UserError:
                raise
            except Exception as error:  # what a foreign file makes torch raise is of any kind
                what = str(error).partition("\n")[0]
                raise UserError(
                    f"{path} is not the checkpoint that was written ({what}); remove it and run again: the rest is kept"
                ) from error

    def batches(self, *, epochs: int, batch: int) -> Iterator[tuple[int, bool, Any]]:
        """(epoch, whether it is the epoch's last step, batch of `data` on the device); the loop between two is timed.

        Before each step torch and `augmentation` are seeded from (seed, epoch, step, process): nothing but the weights
        and the place has to be kept to resume as if nothing had happened.
        """
        team = self.team
        sampler = Batches(
            len(self.data), batch=batch, epochs=epochs, seed=self.seed, start=self._start,
            rank=team.process_index, processes=team.num_processes,
        )  # fmt: skip
        loader = torch.utils.data.DataLoader(
            self.data, batch_sampler=sampler, num_workers=self.workers, pin_memory=self.device.type == "cuda",
            persistent_workers=self.workers > 0,
        )  # fmt: skip
        epoch, step = self._start
        saved, mark = time.monotonic(), time.monotonic()
        hidden = None if team.is_main_process else True
        bar = tqdm(_said(loader), self.name, len(sampler), disable=hidden, leave=False, unit="step")
        for content in bar:
            content = [part.to(self.device, non_blocking=True) for part in content]
            self.waited += time.monotonic() - mark
            mark = time.monotonic()
            torch.manual_seed(seed := seed_of(self.seed, epoch, step, team.process_index))
            self.augmentation.manual_seed(seed_of(seed, "augmentation"))
            last = step + 1 == sampler.steps
            yield epoch, last, content
            step += 1
            if last:
                self._end_of_epoch(epoch, epochs, sampler.steps)
                epoch, step = epoch + 1, 0
            self.worked += time.monotonic() - mark
            if team.is_main_process and time.monotonic() - saved > self.checkpoint_seconds:
                self._checkpoint((epoch, step))
                saved = time.monotonic()
            mark = time.monotonic()

    def log(self, **losses: Tensor) -> None:
        """Note the terms of a step, scalars; their means over processes and steps of the epoch go into the record."""
        terms = self.team.reduce(torch.stack([loss.detach().float() for loss in losses.values()]), "mean")
        for name, term in zip(losses, terms, strict=True):
            self._sums[name] = self._sums.get(name, 0) + term

    def _end_of_epoch(self, epoch: int, epochs: int, steps: int) -> None:
        means = {name: float(total) / steps for name, total in self._sums.items()}
        self._sums.clear()
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            raise UserError(
                f"{self.name}: {', '.join(bad)} not finite in epoch {epoch + 1}; a lower learning rate may help"
            )
        self.history.append({"epoch": epoch + 1, **{k: float(f"{v:.6g}") for k, v in means.items()}})
        if self.team.is_main_process and not sys.stderr.isatty() and (epoch + 1) % max(epochs // 4, 1) == 0:
            terms = ", ".join(f"{k} {v:.4g}" for k, v in means.items())
            waited = self.waited / max(self.waited + self.worked, 1e-9)
            say(f"{self.name}: epoch {epoch + 1}/{epochs}, {terms}, waiting for data {waited:.1%} of the time")

    def _checkpoint(self, start: tuple[int, int]) -> None:
        state = {name: thing.state_dict() for name, thing in self._state.items()}
        place = {"start": list(start), "history": self.history, "sums": self._sums, "settings": plain(self.settings)}
        content = io.BytesIO()  # torch.save to a full disk says "unexpected pos", not that there is no space
        torch.save({**state, **place}, content)
        with sealing(self.folder / "checkpoint.pt") as file:
            file.write(content.getbuffer())


def autocast(config: Any, device: torch.device) -> torch.autocast:
    """Around forward passes in training: in bfloat16 where `config.precision` says so (not in the papers)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def seed_of(*parts: Any) -> int:
    """A seed that names its cause: 63 bits of the digest of `parts`."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def say(line: str) -> None:
    """One line of progress, on standard error: results alone go to standard output."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def _said(loader) -> Iterator[Any]:
    """The loader's batches; of an error that one of its processes sends, the message without the traceback."""
    try:
        yield from loader
    except UserError as error:
        raise UserError(str(error).rpartition("UserError: ")[2].strip()) from error


def _rounded(scores: Tensor) -> list:
    return [[float(f"{v:.6g}") for v in row] for row in scores.tolist()]
