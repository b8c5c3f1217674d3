"""Running: pre-trainings and folds over processes, each resumable, each leaving one whole record."""

import fcntl
import platform
import random
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate.utils import broadcast_object_list

from ..corpora.samples import aligned
from ..errors import UserError, log
from ..files import jsonable, locked, sweep, write_binary, write_json
from ..protocols import Fold
from .config import Settings
from .experiment import Experiment, FittedRun, PretrainingRun, parts_of
from .fold import FoldTraining, Record, seed_of
from .parallel import Alone, Processes, loader_count, wait_for_others
from .places import Places
from .pretraining import Needs, Pretraining
from .weights import packed, weights_path


class OutOfMemory(UserError):
    """Memory has run out; `str(error)` says what to lower."""


def run(
    experiments: list[Experiment],
    *,
    device: torch.device,
    accelerator: Processes | None = None,
    workers: int | None = None,
    places: Places | None = None,
    folds: bool = True,
) -> None:
    """Run what is missing of `experiments`, claiming folds and pre-trainings through file locks.

    A pre-training is one process's work like a fold, unless an `accelerator` is given: then all its processes run each
    pre-training together, before the folds. Without `folds` they alone are run. A fold takes one of the `places`; where
    memory runs out, one is closed, and the fold is trained again.
    """
    if device.type == "cpu":
        torch.set_num_threads(1)  # sums then have one order, on however many processes
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    pretrainings = list({e.pretraining.folder: e.pretraining for e in experiments if e.pretraining}.values())
    if accelerator is not None:
        for stage in pretrainings:
            while not _pretrain_together(stage, accelerator, workers):
                time.sleep(1)
    todo = [(experiment, fold) for experiment in experiments for fold in experiment.folds] if folds else []
    while todo := [(experiment, fold) for experiment, fold in todo if not experiment.record_path(fold).exists()]:
        for stage in pretrainings:
            with claim(stage.folder) as mine:
                if mine and not stage.done():
                    _pretrain(stage, Alone(device), workers)
        if not _train_free(todo, device, places):
            if device.type == "cuda":
                torch.cuda.empty_cache()  # for the processes that train
            time.sleep(0.2)


def _train_free(todo: Sequence[tuple[Experiment, Fold]], device: torch.device, places: Places | None) -> bool:
    """Train those of the folds that no other process has claimed, while there is a place; true if there were any."""
    trained = False
    for experiment, fold in todo:
        if experiment.pretraining and not experiment.pretraining.done():
            continue
        with places.take() if places else nullcontext(True) as free:
            if not free:
                break
            with claim(experiment.record_path(fold)) as mine:
                if mine and not experiment.record_path(fold).exists():
                    _train_within(places, experiment, fold, device)
                    trained = True
    return trained


def _train_within(places: Places | None, experiment: Experiment, fold: Fold, device: torch.device) -> None:
    """Train a fold and write its record; where memory runs out beside other folds, only close a place."""
    if device.type == "cuda":
        torch.cuda.set_device(device)  # here, since it takes some of its memory
    try:
        _train(experiment, fold, device)
    except OutOfMemory as error:
        if places is None or not places.lower(f"{experiment.name} {fold.name}: out of memory"):
            raise
        traceback.clear_frames(error.__traceback__)  # which hold the fold's tensors
    else:
        if places is not None:
            places.settle()


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Claim `path`: true where this process may make it, false while another one does; a process that dies loses it."""
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
    """Train one fold and write its record, after the weights and files that go with it."""
    experiment.claim_settings()
    started = datetime.now(timezone.utc)
    prepare_process(fold_seed(experiment, fold), experiment.config)
    stage = experiment.pretraining
    training = FoldTraining(**given(experiment, fold, device), pretrained=stage.load() if stage else None)
    with explained_memory(training.name, f"batch={experiment.config.batch}"):
        experiment.paper.train(training)
    if not training.history:
        raise UserError(f"{training.name}: no epoch was scored; set at least one epoch")
    scored_epoch, path = training.scored_epoch, experiment.record_path(fold)
    if isinstance(experiment, FittedRun):  # its test sample is one that it has learned from
        training.predictions, training.figures, training.files = {}, {}, {}
        training.history = [{k: v for k, v in epoch.items() if k != "test"} for epoch in training.history]
    record = _record(experiment, fold, training, started)
    if training.network is not None and experiment.session.keep_weights:
        about = {
            **training.made,
            "task": experiment.task.name,
            "labels": experiment.task.outputs,
            "epoch": scored_epoch,
            "rule": training.rule,
            **{k: record[k] for k in ("scale", "generated", "shuffled", "seed", "config", "fold", "code")},
        }
        record["kept weights"] = write_binary(weights_path(path), [packed(training.learned, jsonable(about))])
    for suffix, content in training.files.items():
        write_binary(path.with_suffix(f".{suffix}"), [content])
    write_json(path, record)
    done, last = sum(experiment.record_path(f).exists() for f in experiment.folds), training.history[-1]
    names = {"test": f"test {record['metrics'][0]}"}
    terms = ", ".join(f"{names.get(k, k)} {v:.3f}" for k, v in last.items() if k != "epoch")
    log(f"{experiment.name} [{done}/{len(experiment.folds)}] {fold.name}: {terms}")


def _record(experiment: Experiment, fold: Fold, training: FoldTraining[Any, Any], started: datetime) -> Record:
    """The record of a fold whose weights are not kept."""
    tested = aligned(experiment.samples.assign(scored=experiment.task.scored), fold.test)
    return {
        **experiment.settings,
        **parts_of(fold),
        "folds": len(experiment.folds),
        "left out": experiment.session.left_out(experiment.task, experiment.config),
        "set": dict(experiment.session.overrides),
        "corpora": tested["corpus"].tolist(),
        "subjects": tested["subject"].tolist(),
        "targets": tested["scored"].tolist(),
        "predictions": training.predictions,
        "history": training.history,
        "figures": training.figures if isinstance(training.figures, dict) else asdict(training.figures),
        "kept weights": None,
        **surroundings(training.device, started, training.times),
    }


def fold_seed(experiment: Experiment, fold: Fold) -> int:
    """Of task, fold and seed but not of the row: the rows of a table are paired."""
    return seed_of(experiment.task.name, fold.name, experiment.seed)


def given(experiment: Experiment, fold: Fold, device: torch.device) -> dict[str, Any]:
    """What the training of a fold is given, but for the weights of its pre-training."""
    stage = experiment.pretraining
    return {
        "name": f"{experiment.name} {fold.name}",
        "config": experiment.config,
        "task": experiment.task,
        "fold": fold,
        "data": experiment.data,
        "samples": experiment.samples,
        "seed": fold_seed(experiment, fold),
        "device": device,
        "weights_dir": experiment.session.weights_dir,
        "rule": experiment.rule,
        "metrics": experiment.metrics,
        "pretraining_data": (lambda: stage.data) if stage else None,
    }


def _pretrain_together(stage: PretrainingRun, accelerator: Processes, workers: int | None) -> bool:
    """Run one pre-training in all processes together; whether it is done. Waits while another run has claimed it."""
    with claim(stage.folder) if accelerator.is_main_process else nullcontext() as mine:
        (todo, there) = broadcast_object_list([mine, stage.done()])  # as the first process sees it
        if todo and not there:
            _pretrain(stage, accelerator, workers)
            wait_for_others(accelerator)
        return todo or there


def _pretrain(stage: PretrainingRun, accelerator: Processes, workers: int | None) -> None:
    """Run one pre-training; its weights come first, its record, which says that it is done, last."""
    started = datetime.now(timezone.utc)
    if accelerator.is_main_process:
        stage.claim_settings()
    prepare_process(seed_of("pre-training", stage.seed), stage.config)
    pretraining = Pretraining(**given_to_pretrain(stage, accelerator, workers), folder=stage.folder)
    assert stage.paper.pretrain is not None
    with explained_memory(stage.name, "the batch of the pre-training"):
        weights = stage.paper.pretrain(pretraining)
    wait_for_others(accelerator)
    if not accelerator.is_main_process:
        return
    about = {**pretraining.made, **{k: stage.settings[k] for k in ("scale", "generated", "seed", "needs", "code")}}
    record = {
        **stage.settings,
        "weights": write_binary(stage.weights_path, [packed(weights, jsonable(about) if pretraining.made else None)]),
        "history": pretraining.history,
        **surroundings(accelerator.device, started, {"waiting for data": round(pretraining.waiting, 4)}),
    }
    write_json(stage.record_path, record)
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)
    log(f"{stage.name}: done, {len(pretraining.history)} epochs")


def given_to_pretrain(stage: PretrainingRun, accelerator: Processes, workers: int | None) -> dict[str, Any]:
    """What a pre-training is given, but for its folder."""
    return {
        "name": stage.name,
        "config": cast(Settings, Needs(stage.needs)),
        "task": stage.task,
        "data": stage.data,
        "settings": stage.settings,
        "seed": seed_of("pre-training", stage.seed),
        "accelerator": accelerator,
        "weights_dir": stage.session.weights_dir,
        "workers": loader_count(workers, getattr(stage.data, "streamed", False), accelerator),
    }


@contextmanager
def explained_memory(name: str, batch: str) -> Iterator[None]:
    """Raise OutOfMemory, with the settings to lower, where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "can't allocate memory" not in str(error):
            raise
        remedy = "train fewer folds at a time (--processes or, on a GPU, --folds-per-gpu) or, where the command takes "
        remedy += f"--set, lower {batch} or the size of the images"
        raise OutOfMemory(f"{name}: out of memory; {remedy}; rerun the same command to resume") from error


def prepare_process(seed: int, config: Settings) -> None:
    """Seed everything, and compute in the precision that the setting says."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    set_precision(config)


def set_precision(config: Settings) -> None:
    """Let a GPU compute float32 products in TF32 where the setting says so; by default, as in torch, convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = config.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = config.precision in ("default", "tf32")


def surroundings(device: torch.device, started: datetime, times: Mapping[str, float]) -> dict[str, Any]:
    """The libraries, the machine and the time that a run took, for records."""
    seconds = (datetime.now(timezone.utc) - started).total_seconds()
    return {
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
        | {name: version(name) for name in ("torchvision", "scipy", "scikit-learn", "pillow")},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "times": {"started": started.isoformat(timespec="milliseconds"), "seconds": round(seconds, 2), **times},
    }
