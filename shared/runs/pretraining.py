"""The loop of a pre-training: its batches, checkpoints and losses, in one process or data-parallel in several."""

import io
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import Stopped, UserError, log
from ..files import jsonable, write_binary
from ..keys import refuse_others
from ..processes import loaders
from ..tasks import Task
from .compiling import compiled
from .config import Settings
from .fold import PretrainingData, made, seed_of
from .parallel import Batches, Processes, synchronised
from .stopping import finishing_steps
from .weights import load_zip

C = TypeVar("C", bound=Settings)
N = TypeVar("N", bound=nn.Module)


class Needs:
    """The Config as a pre-training sees it: the entries of its key, as attributes. Nothing else can be read."""

    def __init__(self, needs: Mapping[str, Any]) -> None:
        self.__dict__.update(needs)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the pre-training reads {name}, which its key does not contain: see its `setting`")


@dataclass
class Pretraining(Generic[C]):
    """One pre-training: what it is given, and where it reports."""

    name: str
    config: C  # of which it can read what its key contains, see Needs
    task: Task
    data: PretrainingData
    settings: Mapping[str, Any]  # what has to be the same for a checkpoint to be this pre-training's
    seed: int
    accelerator: Processes
    folder: Path
    weights_dir: Path = Path("weights")  # folder of published weights
    workers: int = 0
    checkpoint_seconds: float = 600.0
    history: list[dict[str, float]] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)  # how the network is made that it leaves
    augmentation: torch.Generator = field(default_factory=torch.Generator)  # on the CPU, seeded before each step
    timed: bool = False  # a few steps are timed, and nothing is kept
    waited: float = 0.0
    worked: float = 0.0
    _state: dict[str, Any] = field(default_factory=dict)
    _start: tuple[int, int] = (0, 0)
    _stop: Tensor | None = None  # of the last step, the signal that any process had
    _sums: dict[str, Tensor] = field(default_factory=dict)  # of each term over the epoch's steps so far

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    @property
    def waiting(self) -> float:
        """The share of the time that is spent waiting for data."""
        return self.waited / max(self.waited + self.worked, 1e-9)

    def synchronised(self, model: N) -> N:
        """The model on the device; its batch norms see the whole batch where several processes share it."""
        model = synchronised(model.to(self.device), self.accelerator.num_processes)
        return compiled(model) if self.config.compile else model

    def leaves(self, make: partial[Any], labels: Sequence[str] = (), **input: Any) -> None:
        """Name the network whose weights are returned, what its outputs are and what it takes: it can then be loaded by
        itself. It is one that its package exports, with named arguments.
        """
        self.made = {**made(make, **input), "labels": list(labels)}

    def keep(self, **objects: Any) -> None:
        """Name what a checkpoint holds (anything with `state_dict`), and take up the checkpoint there is.

        Raises UserError when that is damaged, or was made under other settings. Nothing in it is executed.
        """
        self._state = objects
        if (path := self.folder / "checkpoint.pt").exists():
            try:
                saved = load_zip(path)
                refuse_others(path, saved["settings"], self.settings, half=True)
                for name, thing in objects.items():
                    thing.load_state_dict(saved[name])
                self.history, self._start = saved["history"], tuple(saved["start"])
                self._sums = {name: value.to(self.device) for name, value in saved["sums"].items()}
            except UserError:
                raise
            except Exception as error:  # what a foreign file makes torch raise is of any kind
                what = str(error).partition("\n")[0]
                raise UserError(
                    f"{path} is not the checkpoint that was written ({what}); remove it and rerun: the rest is kept"
                ) from error

    def batches(self, *, epochs: int, batch: int) -> Iterator[tuple[int, bool, Any]]:
        """(epoch, whether it is the epoch's last step, batch of `data` on the device); the loop between two is timed.

        Before each step torch and `augmentation` are seeded from (seed, epoch, step, process): nothing but the weights
        and the place has to be kept to resume as if nothing had happened. A signal that asks to stop is followed after
        a step, with a checkpoint.
        """
        accelerator = self.accelerator
        sampler = Batches(
            len(self.data),
            batch=batch,
            epochs=epochs,
            seed=self.seed,
            start=self._start,
            rank=accelerator.process_index,
            processes=accelerator.num_processes,
        )
        epoch, step = self._start
        saved, mark = time.monotonic(), time.monotonic()
        hidden = None if accelerator.is_main_process else True
        bar = tqdm(self._loaded(sampler), self.name, len(sampler), disable=hidden, leave=False, unit="step")
        with finishing_steps() as asked:
            for content in bar:
                content = [part.to(self.device, non_blocking=True) for part in content]
                self.waited += time.monotonic() - mark
                mark = time.monotonic()
                torch.manual_seed(seed := seed_of(self.seed, epoch, step, accelerator.process_index))
                self.augmentation.manual_seed(seed_of(seed, "augmentation"))
                last = step + 1 == sampler.steps
                yield epoch, last, content
                step += 1
                if last:
                    self._end_of_epoch(epoch, epochs, sampler.steps)
                    epoch, step = epoch + 1, 0
                self.worked += time.monotonic() - mark
                stop = self._agreed(asked())
                if accelerator.is_main_process and (stop or time.monotonic() - saved > self.checkpoint_seconds):
                    self._checkpoint((epoch, step))
                    saved = time.monotonic()
                if stop:
                    raise Stopped(stop)
                mark = time.monotonic()

    def _agreed(self, stop: int) -> int:
        """The signal `stop`, or 0; of several processes, which step together, that which any of them had a step before.

        One that stopped alone would leave the others waiting for it. Nobody waits for this step on a GPU.
        """
        if self.accelerator.num_processes == 1:
            return stop
        before, self._stop = self._stop, torch.tensor(stop, device=self.device)
        torch.distributed.all_reduce(self._stop, torch.distributed.ReduceOp.MAX)
        return int(before) if before is not None else 0

    def _loaded(self, sampler: Batches) -> Iterator[Any]:
        """The batches; an error that a loader's process sends is raised as its message alone."""
        loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(
            cast("torch.utils.data.Dataset[Any]", self.data),
            batch_sampler=sampler,
            pin_memory=self.device.type == "cuda",
            persistent_workers=self.workers > 0,
            **loaders(self.workers),
        )
        try:
            yield from loader
        except UserError as error:
            raise UserError(str(error).rpartition("UserError: ")[2].strip()) from error

    def log(self, **losses: Tensor) -> None:
        """Note the terms of a step, scalars; their means over processes and steps of the epoch go into the record."""
        terms = self.accelerator.reduce(torch.stack([loss.detach().float() for loss in losses.values()]), "mean")
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
        if self.accelerator.is_main_process and not sys.stderr.isatty() and (epoch + 1) % max(epochs // 4, 1) == 0:
            terms = ", ".join(f"{k} {v:.4g}" for k, v in means.items())
            log(f"{self.name}: epoch {epoch + 1}/{epochs}, {terms}, waiting for data {self.waiting:.1%} of the time")

    def _checkpoint(self, start: tuple[int, int]) -> None:
        state = {name: thing.state_dict() for name, thing in self._state.items()}
        place = {"start": list(start), "history": self.history, "sums": self._sums, "settings": jsonable(self.settings)}
        content = io.BytesIO()  # torch.save to a full disk says "unexpected pos", not that there is no space
        torch.save({**state, **place}, content)
        write_binary(self.folder / "checkpoint.pt", [content.getbuffer()])
