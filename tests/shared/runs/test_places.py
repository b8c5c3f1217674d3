"""Several processes train folds on one device, as many as its memory allows; none is lost where it runs out."""

import pytest
import torch
from toy.forked import called
from toy.left import halves, records
from toy.shell import ENVIRONMENT

from shared.errors import UserError
from shared.runs.parallel import launch
from shared.runs.places import PLACES, Places


def test_as_many_processes_train_as_there_are_places(tmp_path):
    places = Places(tmp_path).open(2)
    with places.take() as first, Places(tmp_path).take() as second, Places(tmp_path).take() as third:
        assert (first, second, third) == (True, True, False)
        with Places(tmp_path, 1).open(1).take() as elsewhere:
            assert elsewhere
    with places.take() as again:
        assert again
    assert places.lower("full") and places.number == 1 and not places.lower("full")


@pytest.mark.parametrize(("free", "number"), [(70, 7), (78, 8), (30, 1), (55, 3)])
def test_the_first_fold_tells_how_many_fit(tmp_path, monkeypatch, capsys, free, number):
    """Of 80 GiB: 10 a fold, and six beside it in 0.95 of the rest; at most eight; 50 a fold; 25 a fold."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free << 30, 80 << 30))
    places = Places(tmp_path, 3).open(None)
    assert places.number == 1
    places.settle()
    assert places.number == number
    assert f"GPU 3: a fold took {80 - free}.0 of 80.0 GiB; {number} at a time" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 80 << 30))
    places.settle()
    assert places.number == number


@pytest.mark.parametrize("how", ["killed", "full"])
def test_where_memory_runs_out_the_run_ends_with_the_same_records(whole, tmp_path, how):
    """Three processes on one device are two from then on."""
    data, out = whole
    places = Places(tmp_path).open(3)
    command = ["-m", "toy.hungry", tmp_path / "marker", how, "table1", "--data", data, "--out", tmp_path / "out"]
    done = called(launch, list(map(str, command)), 3, [places], {PLACES: str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "marker").exists() and places.number == 2
    assert "going on with 2 folds at a time" in done.stderr
    assert records(tmp_path / "out") == records(out) and not halves(tmp_path / "out")


def test_the_last_process_that_is_killed_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    command = ["-c", "import os; os.kill(os.getpid(), 9)"]
    with pytest.raises(UserError, match="stopped by SIGKILL"):
        launch(command, 2, [Places(tmp_path).open(2)])
