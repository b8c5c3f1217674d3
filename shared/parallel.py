"""Processes: starting them, and the two ways in which they work, alone on a fold or together on a pre-training."""

import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from .errors import UserError

PARENT = "MER_PARENT"  # set where another process checks the input before and prints the tables after


def launch(module: str, arguments: Sequence[str], processes: int) -> int:
    """Run `python -m module arguments` in `processes` processes of this machine; the worst exit code of them."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=uuid.uuid4().hex, max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0",
    )  # fmt: skip
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ[PARENT] = "1"
    try:
        elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        return max(abs(failure.exitcode) for failure in error.failures.values())
    return 0


def launched() -> bool:
    """Whether this process was started as one of several, by `launch`, `accelerate launch` or torchrun."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def process_count(gpus: int | None, processes: int | None) -> int:
    """How many processes a run takes: one a GPU, or on a machine without GPU one a core (at most 8)."""
    available = torch.cuda.device_count()
    if gpus is not None and gpus > available:
        raise UserError(f"--gpus {gpus}: this machine has {available}; ask for at most that many, or leave --gpus out")
    return processes or gpus or available or min(len(os.sched_getaffinity(0)), 8)


def accelerator() -> Accelerator:
    """This process's place among the others. Folds last unequally long, hence the patience."""
    on_cpu = not torch.cuda.is_available()
    return Accelerator(cpu=on_cpu, kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=7))])


class Alone:
    """Stands where an Accelerator stands when a process pre-trains by itself."""

    num_processes, process_index, is_main_process = 1, 0, True

    def __init__(self, device: torch.device):
        self.device = device

    def prepare(self, *objects):
        return objects[0] if len(objects) == 1 else objects

    def unwrap_model(self, model: nn.Module) -> nn.Module:
        return model

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def wait_for_everyone(self) -> None:
        pass


class Batches(torch.utils.data.Sampler):
    """This process's share of every batch, as (epoch, index) pairs: the same batches whatever the number of processes.

    A dataset that draws its randomness from (epoch, index) then gives the same samples in any worker, and training
    that stopped at `start` = (epoch, step) goes on with the very next batch.
    """

    def __init__(
        self, count: int, *, batch: int, epochs: int, seed: int, rank: int = 0, processes: int = 1, start=(0, 0)
    ):
        if batch % processes:
            raise UserError(
                f"a batch of {batch} does not split over {processes} processes; choose a number that divides it"
            )
        self.count, self.batch, self.epochs, self.seed, self.start = count, min(batch, count), epochs, seed, start
        self.share = slice(rank * self.batch // processes, (rank + 1) * self.batch // processes)
        self.steps = max(count // self.batch, 1)  # an epoch's; the last, smaller batch is dropped

    def __len__(self) -> int:
        return self.epochs * self.steps - self.start[0] * self.steps - self.start[1]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self.start[0], self.epochs):
            order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
            for step in range(self.start[1] if epoch == self.start[0] else 0, self.steps):
                batch = order[step * self.batch : (step + 1) * self.batch]
                yield [(epoch, index) for index in batch[self.share]]


def synchronised(model: nn.Module, processes: int) -> nn.Module:
    """The model with batch norms whose statistics are those of all processes' shares together."""
    if processes == 1:
        return model
    if next(model.parameters()).is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name, child in model.named_children():
        setattr(
            model,
            name,
            AcrossProcesses.of(child) if isinstance(child, nn.BatchNorm2d) else synchronised(child, processes),
        )
    return model


class AcrossProcesses(nn.BatchNorm2d):
    """Batch norm over several CPU processes, where torch.nn.SyncBatchNorm asks for a GPU."""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "AcrossProcesses":
        new = cls(norm.num_features, norm.eps, norm.momentum)
        new.load_state_dict(norm.state_dict())
        return new.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        B, C, H, W = x.shape
        sums = all_reduce(torch.cat([x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), x.new_full((1,), B * H * W)]))
        mean, square, count = sums[:C] / sums[-1], sums[C:-1] / sums[-1], sums[-1]
        variance = square - mean.square()
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]
