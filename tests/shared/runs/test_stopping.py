"""A run that is asked to stop ends at once, says so in one line, and resumes; its processes never outlive it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from toy.forked import Running, as_python, called
from toy.left import halves
from toy.shell import ENVIRONMENT, ROOT

from shared.files import read_json
from shared.processes import loaders
from shared.runs.pretraining import Pretraining

TOY = ("-c", "from shared.cli import main; main('toy')")
ROW = ("table1/w/ pre-training", "--set", "pretrain_epochs=6", "--set", "pause=0.3", "--set", "epochs=1")


def started(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, *TOY, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible
    )


def interruptible() -> None:
    """Ctrl-C works, although the tests themselves may run in the background, where a shell lets it be ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def waited_for(there, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_pretraining_that_is_asked_to_stop_leaves_a_checkpoint(toy, casme2, tmp_path, monkeypatch, number):
    out, taken, log = tmp_path / "out", [], Pretraining.log
    arguments = (*ROW[:3], "--set", "epochs=1", "--data", casme2, "--out", out)

    def asked(self, **losses):
        taken.append(1)
        if len(taken) == 3:
            os.kill(os.getpid(), number)
        log(self, **losses)

    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Pretraining, "log", asked)
            code, _, said = toy(*arguments)
        assert code == 128 + number and len(taken) == 3 and not halves(out)
        assert said.count(f"stopped by {number.name}") == 1 and "rerun the same command to resume" in said
        (checkpoint,) = out.glob("toy/*/pretraining/*/*/checkpoint.pt")
        assert torch.load(checkpoint, weights_only=True)["start"] == [3, 0]
        assert toy(*arguments)[0] == 0
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)


def test_processes_that_are_asked_to_stop_end_and_resume(casme2, tmp_path):
    out = tmp_path / "out"
    arguments = list(map(str, (*TOY, *ROW, "--data", casme2, "--out", out, "--processes", 2)))
    run = Running(as_python, arguments)
    waited_for(lambda: list(out.glob("toy/*/pretraining/*/*/.claims/*")) or run.poll() is not None)
    time.sleep(1.0)
    with suppress(ProcessLookupError):
        while run.poll() is None:
            os.killpg(run.pid, signal.SIGTERM)  # its processes, too, as `timeout` does, and more often
    done = run.ended(60)
    said = done.stderr
    assert done.returncode == 128 + signal.SIGTERM, said
    assert said.count("stopped by SIGTERM") == 1 and "Traceback" not in said
    again = called(as_python, arguments)
    assert again.returncode == 0, again.stderr
    (record,) = (read_json(p) for p in out.glob("toy/*/pretraining/*/*/record.json"))
    assert len(record["history"]) == 6


def test_processes_that_pretrain_together_stop_together(casme2, tmp_path):
    """Also where one of them alone was asked to: it leaves a checkpoint, and nobody waits for it."""
    out = tmp_path / "out"
    arguments = list(map(str, (*TOY, *ROW, "--data", casme2, "--out", out, "--processes", 2, "--data-parallel")))
    run = Running(as_python, arguments)
    waited_for(lambda: list(out.glob("toy/*/pretraining/*/*/.claims/*")) or run.poll() is not None)
    time.sleep(1.0)
    second = children(run.pid)[-1]
    os.kill(second, signal.SIGTERM)
    done = run.ended(60)
    assert done.returncode == 128 + signal.SIGTERM and "Traceback" not in done.stderr, done.stderr
    assert list(out.glob("toy/*/pretraining/*/*/checkpoint.pt"))


@pytest.mark.parametrize("after", [0.4, None], ids=["in the imports", "in training"])
def test_ctrl_c_ends_by_its_signal_in_one_line(casme2, tmp_path, after):
    out = tmp_path / "out"
    run = started(*ROW, "--data", casme2, "--out", out, "--processes", 1)
    if after:
        time.sleep(after)
    else:
        waited_for(lambda: list(out.glob("toy/*/pretraining/*/*/.claims/settings.json")))
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == -signal.SIGINT
    assert said.rstrip().endswith("stopped; rerun the same command to resume") and "Traceback" not in said


def test_processes_end_with_the_one_that_started_them_from_their_first_line(casme2, tmp_path):
    run = started(*ROW, "--data", casme2, "--out", tmp_path / "out", "--processes", 2)
    waited_for(lambda: len(children(run.pid)) == 2 or run.poll() is not None)
    workers = children(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert len(workers) == 2
    waited_for(lambda: not any(alive(pid) for pid in workers), seconds=1)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


LOADING = """
import os, time
from pathlib import Path
import torch
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

class Zeros(torch.utils.data.Dataset):
    __len__ = lambda self: 40
    __getitem__ = lambda self, place: (torch.zeros(1),)

training = Pretraining("x", None, None, Zeros(), {}, 0, Alone(torch.device("cpu")), Path(), workers=1)
batches = training.batches(epochs=9, batch=4)
next(batches)
time.sleep(0.5)  # until the loader has nothing to do
print("loaded", flush=True)
time.sleep(60)
"""


def test_an_idle_loader_ends_with_the_process_that_it_loads_for():
    run = subprocess.Popen(
        [sys.executable, "-c", LOADING], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.readline() == "loaded\n"
    loaders = children(run.pid)
    assert loaders
    run.kill()
    run.wait()
    waited_for(lambda: not any(map(alive, loaders)), 1)


class Signalled(torch.utils.data.Dataset):
    """Each item comes after a SIGTERM to the process that makes it."""

    def __getitem__(self, i):
        os.kill(os.getpid(), signal.SIGTERM)
        return i


def test_a_loader_leaves_a_signal_of_the_group_to_the_process_that_it_loads_for():
    how = {"batch_size": None, "sampler": range(3), "collate_fn": lambda item: item}
    assert list(torch.utils.data.DataLoader(Signalled(), **how, **loaders(1))) == [0, 1, 2]
