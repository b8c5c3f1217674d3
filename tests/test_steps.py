"""A training step waits for no GPU: losses are read once an epoch, and are those of a loop that reads each."""

import math

import pytest
import torch
from tiny import PRETRAININGS, ROWS, pretraining_of, trained
from toy.reads import elsewhere

from shared.runs import engine
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

METHODS = {package: (package, "") for package in ROWS}
METHODS["STSTNet"] = "skd_tstsan", "method=STSTNet ststnet_epochs=2"
METHODS["mtmnet"] = "mtmnet", "pretrain_epochs=1 epochs=1 frames=1"


def read_each(monkeypatch):
    """The straightforward loop: each term is read, checked and added up in its step."""
    sums, counted = {}, []

    def note(training, rows, **terms):
        counted.append(len(rows))
        for name, term in terms.items():
            value = term.item()
            assert math.isfinite(value)
            sums[name] = sums.get(name, 0) + value * len(rows)

    def means(training, epoch):
        found = {name: total / sum(counted) for name, total in sums.items()}
        sums.clear(), counted.clear()
        return found

    monkeypatch.setattr(FoldTraining, "note", note)
    monkeypatch.setattr(FoldTraining, "means", means)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_reads_nothing(method, four_people, tmp_path, monkeypatch):
    """History, predictions and weights are those of the straightforward loop."""
    package, changes = METHODS[method]
    note, means, counts, steps = FoldTraining.note, FoldTraining.means, [], []

    def counted(training, rows, **terms):
        note(training, rows, **terms)
        counts.append(reads.lines.total())

    def ended(training, epoch):
        assert len(set(counts)) == 1, reads.lines  # from the end of the first step to that of the last
        steps.append(len(counts))
        counts.clear()
        return means(training, epoch)

    with monkeypatch.context() as patch, elsewhere() as reads:
        patch.setattr(FoldTraining, "note", counted)
        patch.setattr(FoldTraining, "means", ended)
        made = trained(package, four_people, tmp_path, *changes.split(), "batch=6")
    assert max(steps) > 1
    read_each(monkeypatch)
    plain = trained(package, four_people, tmp_path, *changes.split(), "batch=6")
    assert plain.history == made.history and plain.predictions == made.predictions
    for name, value in plain.learned.items():
        assert torch.equal(value, made.learned[name]), name


@pytest.mark.parametrize("package", PRETRAININGS)
def test_a_step_of_a_pretraining_reads_nothing(package, with_macro, tmp_path, monkeypatch):
    log, end, counts, steps = Pretraining.log, Pretraining._end_of_epoch, [], []

    def counted(pretraining, **terms):
        log(pretraining, **terms)
        counts.append(reads.lines.total())

    def ended(pretraining, *arguments):
        assert len(set(counts)) == 1, reads.lines
        steps.append(len(counts))
        counts.clear()
        end(pretraining, *arguments)

    stage = pretraining_of(package, with_macro, tmp_path)
    monkeypatch.setattr(Pretraining, "log", counted)
    monkeypatch.setattr(Pretraining, "_end_of_epoch", ended)
    with elsewhere() as reads:
        engine._pretrain(stage, Alone(torch.device("cpu")), 0)
    assert max(steps) > 1


def test_what_waits_for_a_gpu_is_counted():
    x = torch.arange(3.0)
    with elsewhere() as reads:
        assert not x.is_cpu
        x.sum().item(), bool(x[0] > 1), float(x[1]), x[x > 1], x.nonzero()
    assert reads.lines.total() == 5 and x.is_cpu
    with elsewhere() as reads:
        x.to("cpu"), x.to(device=x.device), x.to(x), torch.tensor([1.0], device="cpu"), x.new_tensor(2.0)
        x.to("cpu", non_blocking=True), x.to(torch.float64), torch.tensor([1.0]), x.new_full((), 2.0)
    assert reads.lines.total() == 5
