"""Several processes do what one does: the same batches, the same statistics, the same losses."""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from toy import forked, together
from toy.forked import called
from toy.left import halves, records, table
from toy.shell import python

from shared.errors import UserError
from shared.runs.parallel import (
    PARENT,
    Alone,
    Batches,
    follow_parent,
    launch,
    loader_count,
    process_count,
    synchronised,
    wait_for_others,
)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_the_shares_of_all_processes_are_the_batches_of_one(processes):
    how = dict(batch=12, epochs=3, seed=5)
    one = list(Batches(40, **how))
    shares = [list(Batches(40, rank=rank, processes=processes, **how)) for rank in range(processes)]
    assert len(one) == 9 and [sum(parts, []) for parts in zip(*shares, strict=True)] == one
    assert all(len(part) == 12 // processes for share in shares for part in share)
    for epoch in range(3):
        drawn = [place for batch in one[3 * epoch : 3 * epoch + 3] for place in batch]
        assert {place[:2] for place in drawn} == {(5, epoch)} and len({i for *_, i in drawn}) == 36
    assert one[0] != [(5, 0, i) for i in range(12)] and [i for *_, i in one[0]] != [i for *_, i in one[3]]


@pytest.mark.parametrize("start", [(0, 0), (0, 2), (1, 0), (2, 1), (3, 0)])
def test_batches_go_on_where_they_stopped(start):
    how = dict(batch=4, epochs=3, seed=5)
    rest = Batches(12, start=start, **how)
    assert list(rest) == list(Batches(12, **how))[start[0] * 3 + start[1] :]
    assert len(rest) == len(list(rest))


def test_a_set_smaller_than_the_batch_is_one_batch():
    assert [sorted(i for *_, i in batch) for batch in Batches(3, batch=8, epochs=2, seed=0)] == [[0, 1, 2]] * 2


def test_batches_that_cannot_be_are_refused():
    with pytest.raises(
        UserError, match="batch of 8 does not split over 3 processes; give a number that divides it with --gpus"
    ):
        Batches(20, batch=8, epochs=1, seed=0, processes=3)
    with pytest.raises(UserError, match="no sample to train on"):
        Batches(0, batch=8, epochs=1, seed=0)


def test_batch_norm_over_processes_is_batch_norm_of_the_whole_batch(tmp_path):
    assert called(launch, ["-m", "toy.together", str(tmp_path)], 2).returncode == 0
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    for (dims, how), a, b in zip(together.CASES, first["cases"], second["cases"], strict=True):
        expected = together.through(together.norm(dims, **how), together.batch(dims), slice(None))
        torch.testing.assert_close(torch.cat([a["y"], b["y"]]), expected["y"])
        torch.testing.assert_close(torch.cat([a["dx"], b["dx"]]), expected["dx"])
        for x, y, z in zip(a["parameters"], b["parameters"], expected["parameters"], strict=True):
            torch.testing.assert_close(x + y, z)
        for state in (a["state"], b["state"]):
            torch.testing.assert_close(state, expected["state"])
    reference = nn.BatchNorm2d(3).double()(together.batch(2))
    found = torch.cat([first["float32"], second["float32"]]).double()
    torch.testing.assert_close(found, reference, rtol=0, atol=2e-4)  # 1e3 in float32 has steps of 6e-5


def test_outside_training_and_alone_nothing_changes():
    net = nn.Sequential(nn.BatchNorm2d(3))
    assert synchronised(net, 1)[0] is net[0]
    net[0].running_mean += 2
    x = torch.randn(2, 3, 4, 4)
    expected = net.eval()(x)
    across = synchronised(net, 2)
    assert not across.training and torch.equal(across(x), expected)


def test_a_pretraining_shared_by_two_processes_has_the_losses_of_one(casme2, toy, tmp_path):
    arguments = ("table1/w/ pre-training", "--data", casme2, "--set", "pretrain_epochs=20", "--out")
    assert toy(*arguments, tmp_path / "one")[0] == 0
    done = forked.python("toy", *arguments, tmp_path / "two", "--processes", 2, "--data-parallel")
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(next((tmp_path / out).rglob("record.json")).read_text()) for out in ("one", "two"))
    losses = [[entry["loss"] for entry in record["history"]] for record in (one, two)]
    assert len(losses[0]) == 20 and losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert len(set(losses[0])) > 15
    weights = [next((tmp_path / out).rglob("weights.safetensors")) for out in ("one", "two")]
    torch.testing.assert_close(*map(load_file, weights), rtol=1e-3, atol=1e-4)


def test_two_machines_leave_the_table_of_one(casme2, toy, tmp_path):
    """Under torchrun, as a cluster starts it, with one process each."""
    arguments = [str(a) for a in ("table1", "--data", casme2, "--out")]
    assert toy(*arguments, tmp_path / "one")[0] == 0
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    starter = [
        "torch.distributed.run",
        "--nnodes=2",
        "--nproc-per-node=1",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint=localhost:{port}",
        "-m",
        "toy",
        *arguments,
        tmp_path / "two",
    ]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: python(*starter), range(2)))
    assert [machine.returncode for machine in done] == [0, 0], done[0].stderr + done[1].stderr
    assert sorted(machine.stdout.count("Table 1: the toy") for machine in done) == [0, 1]
    assert records(tmp_path / "two") == records(tmp_path / "one")
    assert table(tmp_path / "two") == table(tmp_path / "one") and not halves(tmp_path / "two")


@pytest.mark.parametrize("code", [0, 2, 3])
def test_the_exit_code_is_that_of_the_process_that_failed(code):
    assert called(launch, ["-m", "toy.faulty", str(code)], 2).returncode == code


@pytest.mark.parametrize("how", [[], ["together"]])
def test_a_process_that_is_killed_is_said(how):
    done = called(launch, ["-m", "toy.faulty", "-9", *how], 2)
    assert done.returncode == 2 and "stopped by SIGKILL" in done.stderr and "Traceback" not in done.stderr


def test_who_waits_for_a_process_that_has_ended_says_so():
    class Lost:
        def wait_for_everyone(self):
            raise RuntimeError("Connection closed by peer")

    with pytest.raises(UserError, match="another process of this run has ended; rerun the same command to resume"):
        wait_for_others(Lost())


def test_a_process_ends_when_the_one_that_started_it_is_gone():
    child = os.fork()
    if child == 0:
        os.environ[PARENT] = "1"  # as if that had been this process's parent
        follow_parent()
        time.sleep(600)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_loaders_share_the_cores_where_frames_are_streamed(monkeypatch):
    class Gpus(Alone):
        num_processes = 4

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(30)))
    gpus, cpu = Gpus(torch.device("cuda")), Alone(torch.device("cpu"))
    assert loader_count(None, True, gpus) == 7 and loader_count(None, True, cpu) == 1
    assert (
        loader_count(None, False, gpus) == 0 and loader_count(0, True, gpus) == 0 and loader_count(3, False, cpu) == 3
    )


def test_process_count(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(30)))
    assert process_count(None, None) == 8 and process_count(None, 3) == 3
    with pytest.raises(UserError, match="--gpus 1: this machine has 0"):
        process_count(1, None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert process_count(None, None) == 4 and process_count(2, None) == 2
    with pytest.raises(UserError, match="--gpus 5: this machine has 4"):
        process_count(5, None)
    assert process_count(None, 4) == 4
    with pytest.raises(UserError, match="--processes 5: each process takes a GPU, and this machine has 4"):
        process_count(None, 5)
