"""Runs end with the same records however many processes made them and however often they were stopped."""

import dataclasses
import json
import shutil
import threading
from functools import partial

import numpy as np
import pytest
import torch
from toy.experiments import PAPER
from toy.forked import python
from toy.left import halves, records, table
from toy.shell import no_file_beyond

from shared.corpora import casme2 as corpus
from shared.errors import UserError
from shared.files import locked
from shared.runs.engine import set_precision
from shared.runs.experiment import predicted
from shared.runs.fold import FoldTraining
from shared.runs.paper import Row
from shared.runs.pretraining import Pretraining
from shared.runs.session import Session
from shared.tasks import TASKS


def test_a_record_holds_what_the_tables_need_and_where_it_comes_from(whole):
    _, out = whole
    path = out / "toy/paper/casme2-5/pretrain=True/seed-0/CASME2_sub02.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["samples"] == [f"CASME2/sub02/EP0{i}_01" for i in (1, 2, 3)]
    assert record["subjects"] == ["CASME2/sub02"] * 3 and len(record["train"]) == 9
    assert not {s for s in record["train"] if "/sub02/" in s}
    assert record["targets"] == [0, 1, 2]  # happiness, surprise, disgust
    for rule in ("last", "best_on_test"):
        scores = np.array(predicted(record, rule, "uf1"))
        assert scores.shape == (3, 5) and scores.sum(1) == pytest.approx(1, abs=1e-4)
    assert [entry["epoch"] for entry in record["history"]] == [1, 2]
    assert record["config"]["pretrain"] is True and record["data"]["samples"] == 12
    assert record["pretraining"]["needs"]["corpora"] == ["CASME2"]
    assert {"python", "torch", "numpy"} <= set(record["versions"]) and record["device"] == "cpu"
    assert len(list(out.rglob("CASME2_sub*.json"))) == 2 * 4


def test_a_second_run_trains_nothing(whole, toy):
    data, out = whole
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}

    def refuse(training):
        raise AssertionError("trained again")

    code, printed, _ = toy(
        "table1", "--data", data, "--out", out, paper=dataclasses.replace(PAPER, train=refuse, pretrain=refuse)
    )
    assert code == 0 and "4 of 4 folds" in printed
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.json")} == before


def test_a_lost_fold_alone_is_run_again_and_comes_out_the_same(whole, toy):
    data, out = whole
    before = records(out)
    path = out / "toy/paper/casme2-5/default/seed-0/CASME2_sub03.json"
    path.unlink()
    for half in (path, out / "toy/paper/tables.csv"):  # of processes that were killed
        half.with_name(f".{half.name}.abc.tmp").touch()
    code, _, said = toy("table1", "--data", data, "--out", out)
    assert code == 0 and said.count("[") == 1 and "CASME2/sub03" in said
    assert records(out) == before and not halves(out)


def test_files_beside_a_record_are_written_and_swept_with_it(casme2, toy, tmp_path):
    def train(training):
        PAPER.train(training)
        training.files["faces.png"] = training.name.encode()

    paper, arguments = dataclasses.replace(PAPER, train=train), ("table1/plain", "--data", casme2, "--out", tmp_path)
    assert toy(*arguments, paper=paper)[0] == 0
    path = tmp_path / "toy/paper/casme2-5/default/seed-0/CASME2_sub03.json"
    beside = path.with_suffix(".faces.png")
    assert beside.read_bytes().endswith(b" CASME2/sub03") and len(list(path.parent.glob("*.faces.png"))) == 4
    path.unlink()
    for kept in (path, beside, path.with_suffix(".safetensors")):  # by a process that was killed
        kept.with_name(f".{kept.name}.abc.tmp").touch()
    assert toy(*arguments, paper=paper)[0] == 0
    assert path.exists() and not halves(tmp_path)


def test_seeds_are_runs_of_their_own_and_the_first_is_as_without(whole, toy, tmp_path):
    data, out = whole
    assert toy("table1/plain", "--data", data, "--out", tmp_path, "--seeds", 2)[0] == 0
    found, one = records(tmp_path), records(out)
    place = "toy/paper/casme2-5/default/seed-{}/CASME2_sub01.json"
    assert found[place.format(0)] == one[place.format(0)]
    first, second = (json.loads(found[place.format(seed)])["predictions"] for seed in (0, 1))
    assert first != second


def test_a_pretraining_draws_its_weights_and_its_batches_by_its_seed(casme2, toy, tmp_path):
    weights, batches = [], []

    def pretrain(training):
        weights.append(torch.rand(3).tolist())
        batches.append([x.flatten().tolist() for _, _, (x, _) in training.batches(epochs=1, batch=4)])
        return {"none": torch.zeros(1)}

    paper = dataclasses.replace(PAPER, pretrain=pretrain)
    arguments = ("table1/w/ pre-training", "--data", casme2, "--out", tmp_path, "--seeds", 2)
    assert toy(*arguments, paper=paper)[0] == 0
    assert weights[0] != weights[1] and batches[0] != batches[1] and len(weights) == 2


def test_two_processes_leave_the_records_of_one(whole, tmp_path):
    data, out = whole
    done = python("toy", "table1", "--data", data, "--out", tmp_path / "two", "--processes", 2)
    assert done.returncode == 0, done.stderr
    assert "in 2 processes" in done.stderr and done.stdout.count("Table 1: the toy") == 1
    assert records(tmp_path / "two") == records(out)
    assert table(tmp_path / "two") == table(out)
    assert not halves(tmp_path / "two")


def test_killed_at_random_moments_it_ends_with_the_same_table(whole, tmp_path):
    data, out = whole
    storm = python("toy.storm", "toy", 1, 8, tmp_path, "table1", "--data", data, "--set", "pause=0.02")
    came = json.loads(storm.stdout)
    assert set(came["codes"]) == {0}, storm.stderr
    found = records(tmp_path / "quiet")
    set_pause = table(out).replace("scale: paper", "scale: paper; set: pause=0.02")
    assert len(found) == 2 * 2 * 4 + 2 and table(tmp_path / "quiet") == set_pause
    for i in range(len(came["codes"]) - 1):
        assert records(tmp_path / str(i)) == found and table(tmp_path / str(i)) == set_pause
        assert not halves(tmp_path / str(i))


def test_what_a_killed_run_half_wrote_is_swept(toy, casme2, tmp_path):
    """The half of each file that a run leaves lies there before another run, which makes them all."""
    paper, arguments = dataclasses.replace(PAPER, yardstick=True), ("table1", "--data", casme2, "--out")
    assert toy(*arguments, tmp_path / "first", paper=paper)[0] == 0
    files = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file()]
    for path in files:
        folder = tmp_path / "again" / path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".lock":
            (folder / f".{path.name}.abc.tmp").touch()
    assert len(halves(tmp_path / "again")) > 30
    assert toy(*arguments, tmp_path / "again", paper=paper)[0] == 0
    assert not halves(tmp_path / "again")


def stopped_after(monkeypatch, toy, steps, *arguments):
    """Run with a checkpoint after every step, and stop a pre-training in the middle of step `steps` + 1."""
    taken, plain = [], Pretraining.log

    def log(self, **losses):
        if len(taken) == steps:
            raise KeyboardInterrupt
        taken.append(1)
        plain(self, **losses)

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "log", log)
        code, _, said = toy(*arguments, "--set", "checkpoint=0")
    assert code == 130 and "rerun the same command to resume" in said


SHORT = ("table1/w/ pre-training", "--set", "pretrain_batch=4")  # 3 steps an epoch, 12 in all


@pytest.mark.parametrize("steps", [1, 4, 6, 11])
def test_a_pretraining_goes_on_in_mid_epoch_as_if_nothing_had_happened(casme2, toy, monkeypatch, tmp_path, steps):
    assert toy(*SHORT, "--data", casme2, "--out", tmp_path / "whole", "--set", "checkpoint=0")[0] == 0
    stopped_after(monkeypatch, toy, steps, *SHORT, "--data", casme2, "--out", tmp_path / "out")
    (checkpoint,) = (tmp_path / "out").rglob("checkpoint.pt")
    assert torch.load(checkpoint, weights_only=True)["start"] == list(divmod(steps, 3))
    (checkpoint.parent / ".checkpoint.pt.half.tmp").touch()
    assert toy(*SHORT, "--data", casme2, "--out", tmp_path / "out", "--set", "checkpoint=0")[0] == 0
    assert records(tmp_path / "out") == records(tmp_path / "whole")
    assert not checkpoint.exists() and not halves(tmp_path / "out")


def test_what_another_team_pretrains_is_waited_for(whole, toy, tmp_path):
    data, out = whole
    folder = next(out.glob("toy/paper/pretraining/*/seed-0")).relative_to(out)

    def other_team():
        shutil.copytree(out / folder, tmp_path / folder, dirs_exist_ok=True)
        release.close()

    def refuse(training):
        raise AssertionError("trained what another accelerator trains")

    release = locked(tmp_path / folder.parent / ".claims" / "seed-0.lock")
    threading.Timer(3, other_team).start()
    arguments = ("table1/w/ pre-training", "--data", data, "--out", tmp_path, "--data-parallel")
    code, printed, _ = toy(*arguments, paper=dataclasses.replace(PAPER, pretrain=refuse))
    assert code == 0 and "4 of 4 folds" in printed


def test_a_checkpoint_of_other_settings_is_refused(casme2, toy, monkeypatch, tmp_path):
    only = dataclasses.replace(PAPER.tables[0], rows=(Row("any"),))
    toy = partial(toy, paper=dataclasses.replace(PAPER, tables=(only,), headline=("table1",)))
    arguments = ("--set", "pretrain=true", "--data", casme2, "--out", tmp_path / "out")
    stopped_after(monkeypatch, toy, 2, *arguments)
    code, _, said = toy(*arguments, "--set", "lr=0.01")
    assert code == 2 and "checkpoint.pt was made under other settings" in said
    assert "needs.lr: recorded 0.05, now 0.01" in said
    monkeypatch.setattr(Session, "code", "other")  # half of a training is not accepted from other code
    code, _, said = toy(*arguments, "--accept-code")
    assert code == 2 and "now 'other'" in said and "--accept-code" not in said


def test_a_checkpoint_without_space_keeps_the_one_before(casme2, toy, monkeypatch, tmp_path):
    stopped_after(monkeypatch, toy, 4, *SHORT, "--data", casme2, "--out", tmp_path / "out")
    (checkpoint,) = (tmp_path / "out").rglob("checkpoint.pt")
    before = checkpoint.read_bytes()
    with no_file_beyond(len(before) - 1):
        code, _, said = toy(*SHORT, "--data", casme2, "--out", tmp_path / "out", "--set", "checkpoint=0")
    assert code == 2 and "checkpoint.pt: File too large; what was there before is unchanged" in said
    assert checkpoint.read_bytes() == before
    assert toy(*SHORT, "--data", casme2, "--out", tmp_path / "out", "--set", "checkpoint=0")[0] == 0


@pytest.fixture
def training(casme2):
    samples = TASKS["casme2-5"].select(corpus.read(casme2).samples)
    fold = TASKS["casme2-5"].folds(samples)[1]
    return FoldTraining("toy", None, TASKS["casme2-5"], fold, None, samples, 0, torch.device("cpu"))


def test_last_and_best_on_test_are_kept_beside_each_other(training):
    right, wrong = torch.eye(5)[[0, 1, 2]], torch.eye(5)[[4, 4, 4]]
    half = torch.eye(5)[[0, 1, 4]]
    for epoch, scores in enumerate([wrong, right, half, right, half]):
        training.score(epoch, lambda rows, scores=scores: scores, loss=1.0 / (epoch + 1))
    assert [entry["test"] for entry in training.history] == [0, 1, 0.666667, 1, 0.666667]
    epochs = {"last": {"accuracy": {"": "5"}}, "best_on_test": {"accuracy": {"": "4"}}}
    assert training.predictions == {"epochs": epochs, "scores": {"4": {"": right.tolist()}, "5": {"": half.tolist()}}}


def test_of_action_units_the_epoch_with_the_best_f1_is_kept_not_the_most_accurate(casme2):
    task = TASKS["casme2-au8"]  # here every clip shows 4 and 12 of its 8 units
    samples = task.select(corpus.read(casme2).samples)
    training = FoldTraining("toy", None, task, task.folds(samples)[0], None, samples, 0, torch.device("cpu"))
    present, absent = torch.ones(3, 8), torch.zeros(3, 8)
    for epoch, scores in enumerate([present, absent]):
        training.score(epoch, lambda rows, scores=scores: scores)
    assert [(entry["test"], entry["val"]) for entry in training.history] == [(2 / 8, 2 / 8), (0, 0)]
    epochs = training.predictions["epochs"]
    assert epochs["val"] == epochs["best_on_test"] == {"f1_binary": {"": "1"}}


def test_units_that_too_few_samples_show_choose_no_epoch(casme2):
    """All clips show 4 and 12; the other units are not scored, however often they are said to be shown."""
    task = TASKS["corpora-au8"]
    samples = task.select(corpus.read(casme2).samples)
    fold = TASKS["casme2-au8"].folds(samples)[0]
    training = FoldTraining("toy", None, task, fold, None, samples, 0, torch.device("cpu"), metrics=("f1_binary",))
    training.score(0, lambda rows: torch.ones(len(rows), 8))
    assert training.history[0]["test"] == 1


def test_rows_and_targets_are_those_of_the_fold(training):
    assert training.indices("test").tolist() == [3, 4, 5]
    assert training.indices("train").tolist() == [0, 1, 2, 6, 7, 8, 9, 10, 11]
    assert training.targets.tolist() == [0, 1, 2] * 4


def test_a_loss_that_is_not_finite_names_its_samples(training):
    training.note(torch.tensor([0]), loss=torch.tensor(1.0), penalty=torch.tensor(2.0))
    training.note(torch.tensor([1, 11]), loss=torch.tensor(0.5), penalty=torch.tensor(float("nan")))
    training.note(torch.tensor([2]), loss=torch.tensor(float("inf")), penalty=torch.tensor(2.0))
    with pytest.raises(UserError, match=r"penalty is nan in epoch 3, on CASME2/sub01/EP02_01, CASME2/sub04/EP03_01$"):
        training.means(2)


def test_terms_are_means_over_the_samples_of_an_epoch(training):
    """In double precision; a term that a batch does not have counts as 0 there."""
    values = [0.1, 1e8, 1.0]
    for rows, value in zip(([0, 1, 2], [3, 4], [5]), values, strict=True):
        also = {"also": torch.tensor(6.0)} if len(rows) == 1 else {}
        training.note(torch.tensor(rows), loss=torch.tensor(value, requires_grad=True), **also)
    first = float(np.float32(0.1))
    assert training.means(0) == {"loss": (3 * first + 2 * 1e8 + 1) / 6, "also": 1.0}
    training.note(torch.tensor([0]), loss=torch.tensor(4.0))
    assert training.means(1) == {"loss": 4.0}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_when_memory_runs_out_the_settings_to_lower_are_named(toy, casme2, tmp_path, error):
    def train(training):
        raise error

    code, _, said = toy("--data", casme2, "--out", tmp_path / "out", paper=dataclasses.replace(PAPER, train=train))
    assert code == 2 and "CASME2/sub01: out of memory; train fewer folds" in said and "Traceback" not in said
    assert "lower batch=16 or" in said


@pytest.mark.parametrize(
    ("precision", "products", "convolutions"),
    [("default", False, True), ("float32", False, False), ("tf32", True, True), ("bf16", False, False)],
)
def test_which_products_of_a_gpu_are_in_tf32(precision, products, convolutions):
    """torch's documentation gives the first line as its defaults."""
    set_precision(PAPER.config(precision=precision))
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (products, convolutions)


@pytest.mark.parametrize("precision", ["default", "float32", "tf32"])
def test_a_network_can_be_exported_in_the_process_that_ran(precision):
    set_precision(PAPER.config(precision=precision))
    exported = torch.export.export(torch.nn.Linear(2, 1), (torch.ones(1, 2),)).module()
    assert exported(torch.zeros(1, 2)).shape == (1, 1)
