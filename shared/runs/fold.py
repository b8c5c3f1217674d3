"""The training of one fold: what it is given, its batches, how an epoch is scored, what it leaves."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import metrics
from ..corpora.samples import Problem
from ..errors import UserError
from ..protocols import Fold
from ..tasks import Task
from .compiling import compiled_once
from .config import Settings

Rule = Literal["last", "val", "best_on_test"]
Record: TypeAlias = dict[str, Any]  # what the JSON file of a finished fold or pre-training holds
History: TypeAlias = Sequence[Mapping[str, float]]  # an entry an epoch: "epoch", losses, scores
Outputs: TypeAlias = Tensor | Mapping[str, Tensor]


class Data(Protocol):
    """The result of a paper's `load`: the tensors of samples, row by row."""

    @property
    def ids(self) -> Sequence[str]:
        """The samples that can be used, one a row."""

    @property
    def problems(self) -> list[Problem]:
        """The samples that are broken and left out."""

    @property
    def digest(self) -> str:
        """A digest of the pixels."""


class PretrainingData(Protocol):
    """The data that a pre-training learns from: readable clips or images, checked before anything is trained.

    Data that decodes its frames as they are needed says so by an attribute `streamed`, true."""

    problems: list[Problem]  # what is broken, and left out

    def __len__(self) -> int: ...

    def __getitem__(self, place: tuple[int, int, int]) -> Any:
        """The item at (seed, epoch, index), from which alone everything random in it is drawn."""


C = TypeVar("C", bound=Settings)
D = TypeVar("D", bound=Data)
N = TypeVar("N", bound=nn.Module)


@dataclass
class FoldTraining(Generic[C, D]):
    """The training of one fold: what it is given, and where it reports."""

    name: str
    config: C
    task: Task
    fold: Fold
    data: D  # what the paper's `load` returned; `data.ids` names its rows
    samples: pd.DataFrame  # the task's samples, one a row of `data`
    seed: int  # of (task, fold, seed): the same for all rows of a table
    device: torch.device
    pretrained: dict[str, Tensor] | None = None
    weights_dir: Path = Path("weights")  # folder of published weights
    rule: Rule = "last"  # the epoch that is scored
    metrics: tuple[str, ...] = ()  # by which epochs are compared; the first chooses the weights that are kept
    pretraining_data: Callable[[], PretrainingData] | None = None  # reads what the pre-training learned from
    network: nn.Module | None = None  # what `build` made
    made: dict[str, Any] = field(default_factory=dict)  # how, and what its input is
    best: dict[str, Tensor] = field(default_factory=dict)  # its weights at the scored epoch, where that is not the last
    history: list[dict[str, float]] = field(default_factory=list)
    predictions: dict[str, dict[str, Any]] = field(default_factory=lambda: {"epochs": {}, "scores": {}})
    figures: Any = field(default_factory=dict)  # a dataclass of the package: what its figures need of the fold
    files: dict[str, bytes] = field(default_factory=dict)  # suffix -> content, beside the record: not to be shared
    times: dict[str, float] = field(default_factory=dict)  # seconds, for the record
    _merits: dict[tuple[str, str, str], float] = field(default_factory=dict)  # the best so far of rule, metric, output

    def __post_init__(self) -> None:
        self.metrics = self.metrics or (self.task.metric,)
        self._noted: list[tuple[Tensor, dict[str, Tensor]]] = []  # the rows and terms of the epoch's steps
        self._generators: dict[str, torch.Generator] = {}

    def indices(self, part: str) -> Tensor:
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
        """The generator of augmentation."""
        return self.generator("augmentation")

    def epochs(self, number: int) -> Iterator[int]:
        """The epochs of a stage of the training, from 0."""
        yield from range(number)

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

    def build(self, make: partial[N], **input: Any) -> N:
        """The network that the fold leaves, on the device: of a name that its package exports, and named arguments.

        `input` says what it takes, for those who load it: sizes, range, key frames.
        """
        network = make().to(self.device)
        self.made = made(make, **input)
        if self.config.compile:
            network = compiled_once(network, f"{self.made} {self.device}")
        self.network = network
        return network

    def note(self, rows: Tensor, **terms: Tensor) -> None:
        """Note the terms of a step's loss, scalars, on a batch of `rows`. `means` reads them, so no step waits."""
        self._noted.append((rows, {name: term.detach() for name, term in terms.items()}))

    def means(self, epoch: int) -> dict[str, float]:
        """The mean of each term over the samples of the epoch's steps, those noted since the last call.

        Raises UserError where there was no step, and naming term, epoch and samples for the first term that is not
        finite.
        """
        noted, self._noted = self._noted, []
        if not noted:
            what = (
                f"no batch of {self.config.batch} in epoch {epoch + 1}, of {len(self.fold.train)} samples in training"
            )
            raise UserError(f"{self.name}: {what}: nothing was learned; give more samples, or another --set batch")
        values = iter(torch.stack([term for _, terms in noted for term in terms.values()]).tolist())
        sums: dict[str, float] = {}
        for rows, terms in noted:
            for name, value in zip(terms, values, strict=False):
                if not math.isfinite(value):
                    samples = ", ".join(self.samples["sample"].iloc[rows.tolist()])
                    raise UserError(f"{self.name}: {name} is {value} in epoch {epoch + 1}, on {samples}")
                sums[name] = sums.get(name, 0.0) + value * len(rows)
        count = sum(len(rows) for rows, _ in noted)
        return {name: total / count for name, total in sums.items()}

    def score(self, epoch: int, predict: Callable[[Tensor], Outputs], **losses: float) -> None:
        """Keep an epoch's scores of the test part: `predict` takes rows (n,) and returns probabilities, (n, classes) or
        (n, AUs), or several such outputs by name, the main one as "".

        Each rule chooses an epoch for each metric and output: "last"; "best_on_test", the best on the test part; where
        the fold has a validation part "val", the best there (ties: the later).
        """
        outputs = {part: self._outputs(predict, part) for part in ("test", "val") if getattr(self.fold, part)}
        merits = {
            (metric, name): {part: self._merit(scores[name], part, metric) for part, scores in outputs.items()}
            for metric in self.metrics
            for name in outputs["test"]
        }
        entry = {"epoch": epoch + 1, **{k: float(f"{v:.6g}") for k, v in losses.items()}}
        self.history.append(entry | merits[self.metrics[0], ""])
        number, epochs = str(epoch + 1), self.predictions["epochs"]
        for (metric, name), merit in merits.items():
            self._choose(number, metric, name, merit)
        used = {e for by_metric in epochs.values() for by_name in by_metric.values() for e in by_name.values()}
        self.predictions["scores"][number] = {name: _rounded(scores) for name, scores in outputs["test"].items()}
        self.predictions["scores"] = {e: s for e, s in self.predictions["scores"].items() if e in used}
        if self.rule not in epochs:
            raise UserError(f"{self.name}: rule {self.rule}, and the fold has no validation part")
        if self.network is not None and self.rule != "last" and self.scored_epoch == epoch + 1:
            self.best = {k: v.detach().to("cpu", copy=True) for k, v in self.network.state_dict().items()}

    def _choose(self, number: str, metric: str, name: str, merits: Mapping[str, float]) -> None:
        """Let each rule choose the epoch `number`, unless one before has a higher merit."""
        rules = {"last": 0.0, "best_on_test": merits["test"]}
        if "val" in merits:
            rules["val"] = merits["val"]
        for rule, merit in rules.items():
            if merit >= self._merits.get((rule, metric, name), -1.0):
                self._merits[rule, metric, name] = merit
                self.predictions["epochs"].setdefault(rule, {}).setdefault(metric, {})[name] = number

    @property
    def scored_epoch(self) -> int:
        """The epoch that the rule scores, by the first metric."""
        return int(self.predictions["epochs"][self.rule][self.metrics[0]][""])

    def scored(self, network: N) -> N:
        """The fold's network with the weights of the scored epoch, which are kept and of which figures are drawn."""
        if self.best:
            network.load_state_dict(self.best)
        return network

    @property
    def learned(self) -> dict[str, Tensor]:
        """The weights that are kept, those of the scored epoch; none of a fold that has no network."""
        return self.best or (self.network.state_dict() if self.network is not None else {})

    def _outputs(self, predict: Callable[[Tensor], Outputs], part: str) -> dict[str, Tensor]:
        scores = predict(self.indices(part))
        return {k: v.float().cpu() for k, v in (scores if isinstance(scores, Mapping) else {"": scores}).items()}

    def _merit(self, scores: Tensor, part: str, metric: str) -> float:
        """The metric by which epochs are compared."""
        target = np.array(self.task.scored(self.samples).tolist())[self.indices(part).cpu().numpy()]
        answers = ((scores > 0.5) if self.task.aus else scores.argmax(dim=1)).tolist()
        return round(metrics.score(target, answers, 2 if self.task.aus else scores.shape[1], metric), 6)


def made(make: partial[Any], **input: Any) -> dict[str, Any]:
    """The part of a file's header that tells how its network is made, and what its input is."""
    package = make.func.__module__.partition(".")[0]
    return {"package": package, "network": make.func.__name__, "arguments": make.keywords, "input": input}


def autocast(config: Settings, device: torch.device) -> torch.autocast:
    """Around forward passes in training: in bfloat16 where `config.precision` says so (not in the papers)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of the terms of a loss."""
    return reduce(add, terms)


def seed_of(*parts: Any) -> int:
    """A seed that names its cause: 63 bits of the digest of `parts`."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def _rounded(scores: Tensor) -> list[list[float]]:
    return [[float(f"{v:.6g}") for v in row] for row in scores.tolist()]
