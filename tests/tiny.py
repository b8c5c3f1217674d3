"""A row of each package that needs CASME II alone, made tiny, on synthetic faces."""

import importlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from shared.options import parse
from shared.reproduce import open_session
from shared.runs.experiment import Experiment, PretrainingRun
from shared.runs.fold import FoldTraining
from shared.runs.paper import Paper
from shared.runs.session import Session

ROWS = {
    "dvasp": ("table1/Lv+Lmv", "resize=36 size=32 width=8 epochs=2"),
    "skd_tstsan": ("table5/Mag + ECA + TSM + SKD@CASME II", "resize=16 size=20 width=8 iterations=10 pretrain=false"),
    "mtmnet": ("table2/L_cls@CASME2(CK+)", "size=32 width=8 epochs=2"),
    "sca_au": ("table1/Res3D18 + SCA", "size=40 resize=60 width=8 reduced=8 tim=10 frames=4 epochs=2"),
    "ma2mi": ("table1/w/o (baseline)@CASME", "size=64 resize=72 width=8 dim=12 epochs=2"),
}
STAGES = {  # what makes the pre-trainings short, beside ROWS
    "dvasp": "teacher_epochs=1",
    "skd_tstsan": "pretrain=auto pretrain_iterations=1",
    "mtmnet": "macro_epochs=1 macro_frames=1",
    "ma2mi": "pretrain_epochs=1 pretrain_batch=4 dit_dim=12 dit_depth=1",
}
PRETRAININGS = {  # a row that has one, and settings beside those
    "dvasp": ("table1/Lv+Lmv+Lasp", ["teacher_batch=2"]),
    "ma2mi": ("table1/MA2MI@CASME", []),
    "mtmnet": ("table2/L_EID, L_MTM@CASME2(CK+)", ["batch=2"]),
    "skd_tstsan": (ROWS["skd_tstsan"][0], ["pretrain_iterations=9", "pretrain_batch=2"]),
}


def paper_of(package: str):
    return importlib.import_module(f"{package}.experiments").PAPER


def options(package: str, data: Path, out: Path, *changes: str) -> list[str]:
    """The command line of the package's row. What it decodes is there for the next test, too, beside the data."""
    row, tiny = ROWS[package]
    out.mkdir(parents=True, exist_ok=True)
    (cache := data.parent / "cache").mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (out / "cache").symlink_to(cache)
    return [row, "--data", str(data), "--out", str(out), *(f"--set={change}" for change in (*tiny.split(), *changes))]


def session_of(paper: Paper, options: list[str]) -> Session:
    """The session that a command line opens."""
    return open_session(paper, parse("python -m", {paper.name: ""}, [paper.name, *options]))


def experiment_of(package: str, data: Path, out: Path, *changes: str) -> Experiment:
    paper = paper_of(package)
    session = session_of(paper, options(package, data, out, *changes))
    ((table, (row,)),) = paper.choose([ROWS[package][0]])
    (experiment,) = session.experiments(row, table.columns[0], 1)
    return experiment


def pretraining_of(package: str, with_macro: Callable[..., Path], out: Path, *more: str) -> PretrainingRun:
    """The pre-training of a package's row, on macro corpora that `with_macro` puts beside CASME II."""
    name, changes = PRETRAININGS[package]
    data, paper = with_macro("CK+", "DFEW", "EmotioNet"), paper_of(package)
    session = session_of(paper, options(package, data, out, *STAGES[package].split(), *changes, *more))
    ((table, (row,)),) = paper.choose([name])
    stage = session.experiments(row, table.columns[0], 1)[0].pretraining
    assert stage
    return stage


def trained(package: str, data, out, *changes: str, **fields: Any) -> FoldTraining:
    """The first fold's training, in this process; `fields` of it beside those that all have."""
    experiment = experiment_of(package, data, out, *changes)
    samples, inputs = experiment.session.inputs(experiment.task, experiment.config)
    torch.manual_seed(0)
    training = FoldTraining(
        package,
        experiment.config,
        experiment.task,
        experiment.folds[0],
        inputs,
        samples,
        0,
        torch.device("cpu"),
        **fields,
    )
    experiment.paper.train(training)
    return training
