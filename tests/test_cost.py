"""What --dry-run says: as many steps as a run takes, of every package, and nothing left behind."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from tiny import PRETRAININGS, ROWS, experiment_of, pretraining_of, trained
from toy.experiments import PAPER

from shared.runs import cost, engine
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

CPU = torch.device("cpu")


@pytest.fixture
def steps(monkeypatch):
    """Counts the steps of folds and pre-trainings, of which the estimate takes two of each stage."""
    monkeypatch.setattr(cost, "STEPS", 2)
    counts = Counter()

    def counted(kind, method):
        plain = getattr(kind, method)

        def call(self, *arguments, **named):
            counts[kind] += 1
            return plain(self, *arguments, **named)

        monkeypatch.setattr(kind, method, call)

    counted(FoldTraining, "note")
    counted(Pretraining, "log")
    return counts


FOLDS = {name: (name, ["batch=4"]) for name in ROWS} | {
    "skd_tstsan": ("skd_tstsan", ["batch=4", "iterations=20"]),
    "STSTNet": ("skd_tstsan", ["method=STSTNet", "ststnet_epochs=3", "batch=4"]),
}


@pytest.mark.parametrize("name", FOLDS)
def test_the_steps_of_a_fold(name, four_people, tmp_path, steps):
    what = (FOLDS[name][0], four_people, tmp_path / "out", *FOLDS[name][1])
    (training, _), taken = cost._time_fold(experiment_of(*what), CPU, None), steps[FoldTraining]
    steps.clear()
    trained(*what)
    assert sum(stage.steps for stage in training.stages) == steps[FoldTraining] > taken
    assert all(stage.step > 0 and stage.scoring > 0 for stage in training.stages)


@pytest.mark.parametrize("package", PRETRAININGS)
def test_the_steps_of_a_pretraining(package, with_macro, tmp_path, steps):
    stage = pretraining_of(package, with_macro, tmp_path / "out")
    (timed, weights, _), taken = cost._time_pretraining(stage, CPU, 0), steps[Pretraining]
    assert not stage.folder.exists()
    steps.clear()
    engine._pretrain(stage, Alone(CPU), 0)
    assert timed.steps == steps[Pretraining] >= taken and timed.step >= 0
    assert weights.keys() == stage.load().keys()


def test_a_dry_run_says_what_is_missing_and_leaves_its_input_alone(casme2, toy, tmp_path):
    out = tmp_path / "out"
    shared = "table1", "--data", casme2, "--out", out
    code, said, _ = toy(*shared, "--dry-run", paper=dataclasses.replace(PAPER, yardstick=True))
    lines = said.splitlines()
    assert code == 0 and len(lines) == 6 and "MiB of prepared" in lines[-1]
    for what in ("toy casme2-5 default", "toy casme2-5 pretrain=True", "yardstick casme2-5 default"):
        (line,) = (line for line in lines if line.startswith(what))
        assert ": 4 folds of " in line and ("(2 steps of " in line) == what.startswith("toy")
    assert [line.count(": 4 steps of ") for line in lines if line.startswith("toy pre-training")] == [1]
    assert [path.name for path in out.iterdir()] == ["cache"]
    assert toy("table1/plain", "--data", casme2, "--out", out)[0] == 0
    code, said, _ = toy(*shared, "--dry-run")
    assert code == 0 and said.count(": 4 folds of ") == 1 and "toy casme2-5 default" not in said
    assert PAPER.name in said.splitlines()[-2]
    toy(*shared)
    assert toy(*shared, "--dry-run")[1].startswith("toy: 0 s in one process")


def test_of_several_processes_one_estimates(casme2, toy, tmp_path, monkeypatch):
    arguments = ("table1/plain", "--data", casme2, "--out", tmp_path / "out", "--dry-run")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, said in (("0", "toy: "), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        code, printed, _ = toy(*arguments)
        assert code == 0 and bool(printed) == bool(said) and said in printed


def test_an_estimate_by_hand(tmp_path, monkeypatch):
    """Three epochs of four steps of 2 s, each epoch scored in 5 s, and 1 s: 40 s a fold, and two folds are missing."""
    stage = cost.Stage(CPU, epochs=3, per_epoch=4, clock=[7.0, 9.0, 11.0], scoring=5.0)
    assert (stage.step, stage.steps, stage.seconds) == (2, 12, 39)
    timed = SimpleNamespace(stages=[stage], learned={"w": torch.zeros(2**18)})  # a MiB
    monkeypatch.setattr(cost, "_time_fold", lambda *_: (timed, 1.0))
    monkeypatch.setattr(torch.optim, "SGD", lambda *_, **__: None)  # whose first use takes seconds
    experiments = [
        SimpleNamespace(
            name="ours",
            seed=seed,
            pretraining=None,
            folds=[1, 2],
            records=lambda done=1 - seed: [0] * done,
            session=SimpleNamespace(keep_weights=True, prepared=tmp_path),
        )
        for seed in (0, 1)
    ]
    first, second, total, disk = cost.estimate(experiments, CPU, None, "toy")
    assert first == "ours, seed 0: 1 folds of 40 s (12 steps of 2 s and 3 scorings of 5 s): 40 s"
    assert second.startswith("ours, seed 1: 2 folds of 40 s") and second.endswith(": 1.3 min")
    assert total.startswith("toy: 2.0 min in one process") and "; 3.0 MiB of weights to come" in disk
    assert cost.duration(5400) == "1.5 h" and cost.space(3 * 2**29) == "1.5 GiB"
