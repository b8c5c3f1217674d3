"""Running: pre-trainings and folds over processes, each resumable, each leaving one whole record."""

import fcntl
import platform
import random
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast_object_list

from .bench import Experiment, Stage, parts_of
from .errors import UserError
from .job import Job, Needs, Pretraining, seed_of
from .parallel import Alone, wait_for_others
from .protocols import Fold
from .records import locked, plain, replacing, sweep, write_json
from .weights import packed, weights_of


def run(experiments: list[Experiment], *, device: torch.device, team=None, workers: int = 0) -> None:
    """Run what is missing of `experiments`, taking from the common heap what no other process holds.

    A pre-training is one process's work like a fold, unless `team` (an Accelerator) is given: then all processes do
    each pre-training together, first.
    """
    if device.type == "cpu":
        torch.set_num_threads(1)  # sums then have one order, on however many processes
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    stages = list({e.pretraining.folder: e.pretraining for e in experiments if e.pretraining}.values())
    if team is not None:
        for stage in stages:
            while not _pretrain_together(stage, team, workers):
                time.sleep(1)
    folds = [(experiment, fold) for experiment in experiments for fold in experiment.folds]
    while folds := [(experiment, fold) for experiment, fold in folds if not experiment.record(fold).exists()]:
        for stage in stages:
            with claim(stage.folder) as mine:
                if mine and not stage.done():
                    _pretrain(stage, Alone(device), workers)
        idle = True
        for experiment, fold in folds:
            if experiment.pretraining and not experiment.pretraining.done():
                continue
            with claim(experiment.record(fold)) as mine:
                if mine and not experiment.record(fold).exists():
                    _train(experiment, fold, device)
                    idle = False
        if idle:
            time.sleep(0.2)


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether this process may make `path`: false while another one does. A process that dies loses its claim."""
    try:
        lock = locked(path.parent / ".claims" / f"{path.name}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    with lock:
        sweep(path.parent, f"{path.stem}.*")  # the record, its weights and files
        sweep(path)
        yield True


def _train(experiment: Experiment, fold: Fold, device: torch.device) -> None:
    """Train one fold and write its record."""
    experiment.claim_settings()
    started, clock = datetime.now(timezone.utc), time.monotonic()
    seed = seed_of(experiment.task.name, fold.name, experiment.seed)  # not of the row: rows of a table are paired
    seed_everything(seed)
    set_precision(experiment.config)
    data = experiment.data(device)
    stage = experiment.pretraining
    name = f"{experiment.name} {fold.name}"
    job = Job(
        name, experiment.config, experiment.task, fold, data, experiment.samples, seed, device,
        stage and stage.load(), experiment.bench.weights, experiment.bench.rule, experiment.metrics,
        stage and (lambda: stage.data),
    )  # fmt: skip
    experiment.paper.train(job)
    if not job.history:
        raise UserError(f"{name}: no epoch was scored; set at least one epoch")
    parts = experiment.samples.set_index("sample").loc[list(fold.test)]
    record = {
        **experiment.settings(),
        **parts_of(fold),
        "corpora": parts["corpus"].tolist(),
        "subjects": parts["subject"].tolist(),
        "targets": parts["target"].tolist(),
        "predictions": job.predictions,
        "history": job.history,
        "figures": job.figures,
        "kept weights": None,
        **surroundings(device),
        "times": {
            "started": started.isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - clock, 2),
            **job.times,
        },
    }
    if job.network is not None and experiment.bench.keep_weights:
        about = {
            **job.made, "task": experiment.task.name, "labels": experiment.task.outputs,
            "epoch": job.scored_epoch, "rule": job.rule,
            **{k: record[k] for k in ("scale", "generated", "shuffled", "seed", "config", "fold", "code")},
        }  # fmt: skip
        content = packed(job.learnt, plain(about))
        record["kept weights"] = zlib.crc32(content)
        with replacing(weights_of(experiment.record(fold))) as temporary:
            temporary.write_bytes(content)
    for suffix, content in job.files.items():
        with replacing(experiment.record(fold).with_suffix(f".{suffix}")) as temporary:
            temporary.write_bytes(content)
    write_json(experiment.record(fold), record)
    experiment.tell(fold, job)


def _pretrain_together(stage: Stage, team, workers: int) -> bool:
    """Run one pre-training in all processes of the team; whether it is done. Not while another team is at it."""
    with claim(stage.folder) if team.is_main_process else nullcontext() as mine:
        (todo, there) = broadcast_object_list([mine, stage.done()])  # as the first process sees it
        if todo and not there:
            _pretrain(stage, team, workers)
            wait_for_others(team)
        return todo or there


def _pretrain(stage: Stage, team, workers: int) -> None:
    """Run one pre-training; its weights come first, its record, which says that it is done, last."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    if team.is_main_process:
        stage.claim_settings()
    seed = seed_of("pre-training", stage.seed)
    seed_everything(seed)
    set_precision(stage.config)
    job = Pretraining(
        stage.name, Needs(stage.needs), stage.task, stage.data, stage.settings(), seed, team, stage.folder,
        stage.bench.weights, workers,
    )  # fmt: skip
    weights = stage.paper.pretrain(job)
    wait_for_others(team)
    if not team.is_main_process:
        return
    content = packed(weights)
    with replacing(stage.weights) as temporary:
        temporary.write_bytes(content)
    record = {
        **stage.settings(),
        "weights": zlib.crc32(content),
        "history": job.history,
        **surroundings(team.device),
        "times": {
            "started": started.isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - clock, 2),
            "waiting for data": round(job.waited / max(job.waited + job.worked, 1e-9), 4),
        },
    }
    write_json(stage.folder / "record.json", record)
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)
    stage.tell(job)


def set_precision(config: Any) -> None:
    """How float32 products are computed on a GPU: TF32 where the setting says so (torch's own default for convolutions
    is TF32)."""
    torch.backends.fp32_precision = "tf32" if config.precision == "tf32" else "ieee"


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def surroundings(device: torch.device) -> dict[str, Any]:
    """What a record says of the libraries and the machine."""
    return {
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }
