"""Processes: starting them, and the two ways in which they work, alone on a fold or together on a pre-training."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, cast

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import UserError
from ..processes import die_with_parent
from .places import Places

N = TypeVar("N", bound=nn.Module)
PARENT = "MER_PARENT"  # id of the process that checks the input before, waits, and prints the tables after


class Alone:
    """Takes the place of an Accelerator when a process pre-trains by itself."""

    num_processes, process_index, is_main_process = 1, 0, True

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def prepare(self, *objects: Any) -> Any:
        return objects[0] if len(objects) == 1 else objects

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def gather(self, tensor: Any) -> Any:
        return tensor

    def reduce(self, tensor: Any, reduction: str) -> Any:
        return tensor

    def wait_for_everyone(self) -> None:
        pass


Processes: TypeAlias = Accelerator | Alone


def launch(
    arguments: Sequence[str],
    processes: int,
    places: Sequence[Places] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run `python ARGUMENTS` in `processes` processes of this machine; 0, or the exit code of one that failed.

    Raises UserError when a process is killed. Where they work apart, in `places`, the others take over the work of one
    that is ended by SIGKILL, as the system does where memory runs out."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(processes)}
    common = {"OMP_NUM_THREADS": "1", **os.environ, **environment, **place, PARENT: str(os.getpid())}
    command = [sys.executable, *arguments]
    workers = [
        subprocess.Popen(
            command, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, preexec_fn=die_with_parent
        )
        for rank in range(processes)
    ]
    try:
        codes = _ended(workers, places)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    if places and 0 in codes:  # one that has met the end of the work
        codes = [code for code in codes if code != -signal.SIGKILL]
    code = min(filter(None, codes), default=0)  # signals first, then real errors, then those caused by other processes
    if code < 0:
        name = signal.Signals(-code).name
        remedy = "if memory ran out, lower --processes or, where the command takes --set, batch; rerun it to resume"
        raise UserError(f"a process was stopped by {name}; {remedy}")
    return code


def _ended(workers: Sequence[subprocess.Popen[bytes]], places: Sequence[Places]) -> list[int | None]:
    """The exit codes of processes once all have ended or one has failed, None of those that still run.

    One that works in `places` and is ended by SIGKILL closes a place."""
    killed: set[int] = set()
    while None in (codes := [worker.poll() for worker in workers]):
        lost = {rank for rank, code in enumerate(codes) if code == -signal.SIGKILL and places} - killed
        for rank in lost:
            places[rank % len(places)].lower("a process was stopped by SIGKILL, perhaps because memory ran out")
        killed |= lost
        if any(code for rank, code in enumerate(codes) if rank not in killed):
            break
        time.sleep(0.1)
    return codes


def follow_parent() -> None:
    """End this process when the one that launched it is gone, however that ended."""

    def watch() -> None:
        while os.getppid() == int(os.environ[PARENT]):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def launched() -> bool:
    """True where this process was started as one of several, by `launch`, `accelerate launch` or torchrun."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def process_count(gpus: int | None, processes: int | None) -> int:
    """How many processes a run takes: one a GPU, or on a machine without GPU one a core (at most 8)."""
    available = torch.cuda.device_count()
    if gpus is not None and gpus > available:
        raise UserError(f"--gpus {gpus}: this machine has {available}; ask for at most that many, or leave --gpus out")
    if available and (processes or 0) > available:
        raise UserError(
            f"--processes {processes}: each process takes a GPU, and this machine has {available}; ask for "
            "at most that many, or set CUDA_VISIBLE_DEVICES= to run on the processor"
        )
    return processes or gpus or available or min(len(os.sched_getaffinity(0)), 8)


def loader_count(asked: int | None, streamed: bool, accelerator: Processes) -> int:
    """How many processes load the data of a pre-training: those asked for; else, of frames that are decoded as they are
    needed, this process's share of the cores (beside training on the CPU one), of others none."""
    if asked is not None or not streamed:
        return asked or 0
    cores = len(os.sched_getaffinity(0)) if accelerator.device.type == "cuda" else 1
    return max(cores // int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes)), 1)


def make_accelerator() -> Accelerator:
    """This process's place among the others. Folds last unequally long, hence the patience."""
    on_cpu = not torch.cuda.is_available()
    return Accelerator(cpu=on_cpu, kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=7))])


def wait_for_others(accelerator: Processes) -> None:
    """Raises UserError when another process has ended before it came here."""
    try:
        accelerator.wait_for_everyone()
    except RuntimeError as error:
        raise UserError("another process of this run has ended; rerun the same command to resume") from error


class Batches(torch.utils.data.Sampler[list[tuple[int, int, int]]]):
    """This process's share of every batch, as places (seed, epoch, index): the same batches on any number of processes.

    A dataset that draws what is random from the place gives the same samples in any worker, and training that stopped
    at `start` = (epoch, step) resumes with the very next batch.
    """

    def __init__(
        self,
        count: int,
        *,
        batch: int,
        epochs: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        start: tuple[int, int] = (0, 0),
    ) -> None:
        if not count:
            raise UserError("there is no sample to train on")
        if batch % processes:
            raise UserError(
                f"a pre-training's batch of {batch} does not split over {processes} processes; give a number that "
                "divides it with --gpus or, on the processor, --processes"
            )
        self.count, self.batch, self.epochs, self.seed, self.start = count, min(batch, count), epochs, seed, start
        self.share = slice(rank * self.batch // processes, (rank + 1) * self.batch // processes)
        self.steps = max(count // self.batch, 1)  # an epoch's; the last, smaller batch is dropped

    def __len__(self) -> int:
        return self.epochs * self.steps - self.start[0] * self.steps - self.start[1]

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for epoch in range(self.start[0], self.epochs):
            order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
            for step in range(self.start[1] if epoch == self.start[0] else 0, self.steps):
                batch = order[step * self.batch : (step + 1) * self.batch]
                yield [(self.seed, epoch, index) for index in batch[self.share]]


def synchronised(model: N, processes: int) -> N:
    """The model with batch norms whose statistics are those of all processes' shares together."""
    if processes == 1:
        return model
    if any(parameter.is_cuda for parameter in model.parameters()):
        return cast(N, nn.SyncBatchNorm.convert_sync_batchnorm(model))
    for name, child in model.named_children():
        within = AcrossProcesses.of(child) if isinstance(child, _BatchNorm) else synchronised(child, processes)
        setattr(model, name, within)
    return model


class Summed(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return Summed.forward(ctx, gradient)


class AcrossProcesses(_BatchNorm):
    """Batch norm of (B, C, …) over several CPU processes, where torch.nn.SyncBatchNorm asks for a GPU."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> "AcrossProcesses":
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(new, name, getattr(norm, name))
        return new.train(norm.training)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.ndim < 2:
            raise ValueError(f"expected (B, C, …), got {tuple(x.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        rows = x.transpose(0, 1).flatten(1)  # (C, n)
        sums = Summed.apply(torch.cat([rows.sum(1), rows.new_tensor([rows.shape[1]])]))
        mean, count = sums[:-1] / sums[-1], sums[-1]
        deviations = rows - mean[:, None]
        variance = Summed.apply(deviations.square().sum(1)) / count  # in a second pass: E[x²] − E[x]² loses the digits
        if self.track_running_stats:
            assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
            assert self.num_batches_tracked is not None
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        normed = deviations * (variance + self.eps).rsqrt()[:, None]
        if self.affine:
            normed = normed * self.weight[:, None] + self.bias[:, None]
        return normed.unflatten(1, (len(x), *x.shape[2:])).transpose(0, 1)
