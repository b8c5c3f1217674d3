"""Faults of a run: each is said with its file and what to do, nothing is lost, and the same command goes on."""

import contextlib
import ctypes
import dataclasses
import os
import pickle
import shutil
import signal
import stat
from pathlib import Path

import pytest
import torch
from toy import shell
from toy.experiments import PAPER
from toy.forked import python
from toy.left import halves, records, table
from toy.shell import no_file_beyond
from toy.train import Onsets

from shared.cli import LOADER_KILLED
from shared.errors import UserError
from shared.files import REMEDY
from shared.pixels.images import stream
from shared.runs.experiment import slug
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

STAGE = Path("toy/paper/pretraining", slug(PAPER.pretraining(PAPER.config(pretrain=True), None)), "seed-0")
PLAIN, PRETRAINED = (Path("toy/paper/casme2-5") / name / "seed-0" for name in ("default", "pretrain=True"))


@pytest.fixture
def out(whole, tmp_path) -> Path:
    """What a run leaves, to be disturbed."""
    shutil.copytree(whole[1], tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def half(out) -> Path:
    """The same in the middle of the run: two folds and the weights are there."""
    for path in (*(out / PRETRAINED).glob("*.json"), *(out / PLAIN / f"CASME2_sub0{i}.json" for i in (3, 4))):
        path.unlink()
    return out


@pytest.fixture
def goes_on(whole, toy):
    """Gives the command again: it ends as if nothing had happened, and what was finished is as it was."""
    data, undisturbed = whole

    def run(out: Path) -> str:
        before = {p: p.read_bytes() for p in (*out.rglob("seed-*/*.json"), *out.rglob("*.safetensors"))}
        code, _, said = toy("table1", "--data", data, "--out", out)
        assert code == 0, said
        assert records(out) == records(undisturbed) and table(out) == table(undisturbed)
        assert {path: path.read_bytes() for path in before} == before
        assert not halves(out)
        return said

    return run


@pytest.mark.parametrize(
    ("size", "what"),
    [
        (1_000, "cannot write {out}/cache/{cache}/frames.u8"),
        (500, "cannot write {out}/{plain}/.claims/settings.json"),
        (500, "cannot write {out}/{stage}/weights.safetensors"),
        (2_000, "cannot write {out}/{plain}/CASME2_sub01.safetensors"),
        (20_000, "cannot write {out}/toy/paper/index.html"),
    ],
    ids=["cache", "settings", "weights", "fold", "page"],
)
def test_a_full_disk(whole, toy, goes_on, tmp_path, size, what):
    data, out = whole[0], tmp_path / "out"
    if size == 500:
        shutil.copytree(whole[1] / "cache", out / "cache")
    if "weights" in what:
        for path in whole[1].rglob(".claims/settings.json"):
            (there := out / path.relative_to(whole[1])).parent.mkdir(parents=True)
            shutil.copy(path, there)
    with no_file_beyond(size):
        code, _, said = toy("table1", "--data", data, "--out", out, page=True)
    (cache,) = (path.name for path in (out / "cache").iterdir() if path.is_dir())
    assert code == 2 and f"error: {what.format(out=out, cache=cache, stage=STAGE, plain=PLAIN)}: File too large" in said
    assert said.endswith(f"{REMEDY}\n") and not halves(out)
    goes_on(out)


def test_a_full_disk_while_two_processes_write(whole, half, goes_on):
    with no_file_beyond(2_000):
        done = python("toy", "table1", "--data", whole[0], "--out", half, "--processes", 2)
    assert done.returncode == 2 and not done.stdout
    assert ".safetensors: File too large; what was there before is unchanged" in done.stderr
    assert REMEDY in done.stderr and "Traceback" not in done.stderr
    goes_on(half)


CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24
LIBC = ctypes.CDLL(None)


def bound_by_permissions() -> None:
    """For a process to be started: permissions bind it even where it is root's."""
    LIBC.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.parametrize("folder", ["cache", PLAIN], ids=["cache", "records"])
def test_a_folder_that_is_read_only(whole, half, goes_on, folder):
    folder = half / folder
    shutil.rmtree(folder / ".claims", ignore_errors=True)
    for lock in folder.glob("*.lock"):
        lock.unlink()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    arguments = "toy", "table1", "--data", whole[0], "--out", half, "--processes", 1
    done = shell.python(*arguments, preexec_fn=bound_by_permissions)
    folder.chmod(stat.S_IRWXU)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert f"error: cannot write in {folder}" in done.stderr and f": Permission denied; {REMEDY}" in done.stderr
    goes_on(half)


@pytest.mark.parametrize("part", ["CASME2", "CASME2/Cropped/sub02"])
def test_a_corpus_that_goes_before_its_processes_read_it(whole, out, goes_on, tmp_path, part):
    data = whole[0]
    shutil.rmtree(out / "toy")
    run = python("toy.moved", data / part, tmp_path / "away", "table1", "--data", data, "--out", out, "--processes", 2)
    os.rename(tmp_path / "away", data / part)
    assert run.returncode == 2 and not run.stdout and "Traceback" not in run.stderr
    assert f"error: {data} has changed since this run began; {REMEDY}" in run.stderr
    goes_on(out)


def test_a_corpus_that_goes_while_folds_are_trained(whole, toy, goes_on, tmp_path):
    data, out = whole[0], tmp_path / "out"

    def train(training):
        PAPER.train(training)
        if training.fold.name == "CASME2/sub02":
            os.rename(data / "CASME2", tmp_path / "away")

    code, printed, said = toy("table1", "--data", data, "--out", out, paper=dataclasses.replace(PAPER, train=train))
    os.rename(tmp_path / "away", data / "CASME2")
    assert code == 2 and not printed
    assert f"error: {data}/CASME2/" in said
    assert f".png cannot be read any more: No such file or directory; {REMEDY}" in said
    assert len(list((out / PLAIN).glob("*.json"))) == 4  # these folds' images had all been read
    goes_on(out)


class Streamed(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, place):
        return (torch.from_numpy(stream(self.paths[place[-1]], 8).copy()),)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corpus_that_goes_while_a_pretraining_streams_it(casme2, tmp_path, workers):
    paths = sorted(map(str, (casme2 / "CASME2").rglob("*.png")))
    alone = Alone(torch.device("cpu"))
    pretraining = Pretraining("streamed", None, None, Streamed(paths), {}, 0, alone, tmp_path, workers=workers)
    os.remove(paths[7])
    with pytest.raises(UserError) as error:
        list(pretraining.batches(epochs=1, batch=4))
    assert str(error.value) == f"{paths[7]} cannot be read: No such file or directory; {REMEDY}"


class Killed(Onsets):
    def __getitem__(self, place):
        if torch.utils.data.get_worker_info():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(place)


def test_a_process_that_reads_images_is_killed(casme2, toy, tmp_path):
    paper = dataclasses.replace(PAPER, pretraining_data=lambda samples, config, cache: Killed(samples["CASME2"], cache))
    options = ["table1/w/ pre-training", "--data", casme2, "--out", tmp_path / "out"]
    code, printed, said = toy(*options, "--workers", 1, paper=paper)
    assert (code, printed) == (2, "") and said.endswith(f"error: {LOADER_KILLED}\n")
    assert toy(*options, "--workers", 0, paper=paper)[0] == 0


def flipped(content: bytes) -> bytes:
    """A digit of a score is another."""
    at = content.index(b'"scores"') + 30
    at += next(i for i, byte in enumerate(content[at:]) if chr(byte) in "1234")
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[:-100], lambda b: b"", lambda b: bytes(len(b)), lambda b: b"[]", flipped],
    ids=["cut", "empty", "zeros", "other", "flipped"],
)
def test_a_corrupt_record(whole, toy, goes_on, out, spoil):
    path = out / PRETRAINED / "CASME2_sub03.json"
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    for more in ([], ["--diff"]):
        code, printed, said = toy("table1", "--data", whole[0], "--out", out, *more)
        assert code == 2 and not printed and path.read_bytes() == spoilt
        assert f"error: {path} is not a whole record (" in said and "remove it and rerun: the rest is kept" in said
    path.unlink()
    assert goes_on(out).count("[4/4]") == 1


def test_a_corrupt_record_of_a_pretraining(whole, toy, goes_on, half):
    path = half / STAGE / "record.json"
    path.write_bytes(path.read_bytes()[:-10])
    code, _, said = toy("table1", "--data", whole[0], "--out", half)
    assert code == 2 and f"error: {path} is not a whole record (" in said and "remove it and rerun" in said
    path.unlink()
    goes_on(half)


def test_corrupt_files_in_the_cache_are_made_again_without_a_word(half, goes_on):
    files = [p for p in (half / "cache").rglob("*") if p.is_file() and p.suffix not in (".lock", ".checked")]
    assert len(files) == 2
    for path in files:
        path.write_bytes(path.read_bytes()[::-1])
    assert "cache" not in goes_on(half)


class Hostile:
    """A pickle that makes a file where it is loaded."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def hostile(path: Path, kind: str, ran: Path) -> None:
    """Write a checkpoint that runs code when it is loaded without care."""
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Hostile(ran), protocol=2))
    else:
        torch.save({"net": Hostile(ran)}, path, _use_new_zipfile_serialization=kind == "zip")


@pytest.fixture
def stopped(half) -> Path:
    """Before the end of the pre-training."""
    for name in ("record.json", "weights.safetensors"):
        (half / STAGE / name).unlink()
    return half


@pytest.mark.parametrize("kind", ["pickle", "zip", "legacy"])
def test_a_hostile_checkpoint_is_not_run(whole, toy, goes_on, stopped, tmp_path, kind):
    path, ran = stopped / STAGE / "checkpoint.pt", tmp_path / "ran"
    hostile(path, kind, ran)
    with contextlib.suppress(RuntimeError):  # of torch, when it has run what is no checkpoint
        torch.load(path, weights_only=False)
    assert ran.exists()  # it is hostile
    ran.unlink()
    code, printed, said = toy("table1", "--data", whole[0], "--out", stopped)
    assert code == 2 and not printed and not ran.exists()
    assert f"error: {path} is not the checkpoint that was written (" in said
    assert said.endswith("); remove it and rerun: the rest is kept\n")
    path.unlink()
    goes_on(stopped)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda b: b[:-9], "it is not a whole file of torch.save"),
        (lambda b: b"", "it is not a whole file of torch.save"),
        (lambda b: b[:900] + bytes([b[900] ^ 1]) + b[901:], "its checksum of archive/data.pkl differs"),
    ],
    ids=["cut", "empty", "flipped"],
)
def test_a_corrupt_checkpoint(whole, toy, goes_on, stopped, spoil, what):
    def stop(training):
        PAPER.pretrain(training)
        training._checkpoint((2, 0))
        raise KeyboardInterrupt

    command = ("table1", "--data", whole[0], "--out", stopped)
    assert toy(*command, paper=dataclasses.replace(PAPER, pretrain=stop))[0] == 130
    path = stopped / STAGE / "checkpoint.pt"
    path.write_bytes(spoil(path.read_bytes()))
    code, _, said = toy(*command)
    assert code == 2 and f"error: {path} is not the checkpoint that was written ({what}); remove it" in said
    path.unlink()
    goes_on(stopped)


@pytest.mark.parametrize("content", [{}, [], {"settings": {}}, "text"], ids=str)
def test_a_checkpoint_of_something_else(whole, toy, goes_on, stopped, content):
    path = stopped / STAGE / "checkpoint.pt"
    torch.save(content, path)
    code, _, said = toy("table1", "--data", whole[0], "--out", stopped)
    assert code == 2 and f"error: {path} " in said and "remove" in said
    path.unlink()
    goes_on(stopped)


def spoilt(path: Path, ran: Path) -> dict[str, bytes]:
    content = path.read_bytes()
    return {
        "cut": content[:-1],
        "empty": b"",
        "flipped": content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
        "hostile": pickle.dumps(Hostile(ran), protocol=2),
    }


@pytest.mark.parametrize("kind", ["cut", "empty", "flipped", "hostile", "gone"])
def test_corrupt_and_hostile_weights(whole, toy, goes_on, half, tmp_path, kind):
    path, ran = half / STAGE / "weights.safetensors", tmp_path / "ran"
    if kind == "gone":
        path.unlink()
    else:
        path.write_bytes(spoilt(path, ran)[kind])
    code, printed, said = toy("table1", "--data", whole[0], "--out", half)
    assert code == 2 and not printed and not ran.exists()
    remedy = f"remove {path.parent} and rerun: the rest is kept"
    assert f"error: {path} is not the file that was written; {remedy}" in said
    shutil.rmtree(path.parent)
    goes_on(half)
