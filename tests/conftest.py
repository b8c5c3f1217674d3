"""What the tests share: the toy paper on the path, its corpus and its command line."""

import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests run on the processor, alike on all machines; `test_gpu.py` alone looks at GPUs, those that were visible before.
GPUS = os.environ.setdefault("MER_GPUS", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
os.environ["CUDA_VISIBLE_DEVICES"] = ""
sys.path.append(str(Path(__file__).parent))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no process is left alone with one in the end."""
    items.sort(key=lambda item: item.path.name != "test_storm.py")


@pytest.fixture
def casme2(tmp_path) -> Path:
    """A folder of corpora that holds a tiny CASME2 of 4 people and 12 clips."""
    from toy.corpus import write_casme2

    return write_casme2(tmp_path / "data")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Callable[..., Path]:
    """Draws a corpus once for all processes that run the tests; returns the folder of corpora that holds it."""
    from shared.files import locked
    from shared.synthetic.write import write

    base = tmp_path_factory.getbasetemp()
    common = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "drawn"

    def draw(corpus: str, size: int, scale: str | float = "smoke") -> Path:
        with locked(common / f"{corpus}-{size}.lock"):
            return write(common / f"{corpus}-{size}", [corpus], scale=scale, tight=True, size=size, workers=1)

    return draw


@pytest.fixture(scope="session")
def faces(drawn) -> Path:
    """A folder of generated corpora that holds CASME2, small; it is read by many tests, and changed by none."""
    return drawn("CASME2", 48)


@pytest.fixture(scope="session")
def four_people(faces, tmp_path_factory) -> Path:
    """`faces` with the images of four people alone, for a run of few folds; the sheets name all eight. For reading."""

    def others(_: str, names: list[str]) -> list[str]:
        return sorted(name for name in names if name.startswith("sub"))[4:]

    folder = tmp_path_factory.mktemp("four people") / "data"
    return Path(shutil.copytree(faces, folder, ignore=others, copy_function=os.link))


@pytest.fixture(scope="session")
def with_macro(four_people, drawn, tmp_path_factory) -> Callable[..., Path]:
    """Puts macro corpora, a small share of each, beside `four_people`, as links; returns the folder. For reading."""
    shares = {"CK+": 0.05, "DFEW": 0.002, "EmotioNet": 0.001}

    @cache
    def put(*corpora: str) -> Path:
        (folder := tmp_path_factory.mktemp("few") / "data").mkdir()
        beside = [drawn(corpus, 24, shares[corpus]) / corpus for corpus in corpora if corpus in shares]
        for there in (*four_people.iterdir(), *beside):
            (folder / there.name).symlink_to(there)
        return folder

    return put


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Path]:
    """(data, out): both rows of the toy's table 1, run in this process alone."""
    from toy.corpus import write_casme2
    from toy.experiments import PAPER

    from shared.cli import main

    folder = tmp_path_factory.mktemp("whole")
    data, out = write_casme2(folder / "data"), folder / "out"
    with pytest.raises(SystemExit) as ended:
        main(PAPER, ["table1", "--data", str(data), "--out", str(out), "--processes", "1"])
    assert ended.value.code == 0
    return data, out


@pytest.fixture(autouse=True)
def no_data_named(monkeypatch):
    """The tests' own folders and options alone: not what this machine's user, or another test, has set."""
    for name in ("MER_DATA", "MER_VERIFY"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards, as it was
        monkeypatch.delenv(name)


@pytest.fixture
def toy(capsys, monkeypatch):
    """Runs the toy's command line in this process, alone: (exit code, standard output, standard error).

    The page is drawn only where it is asked for, and the yardstick sees differences in place of flow: either takes
    longer than the rest."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d
    from toy.experiments import PAPER

    from shared.cli import main
    from shared.runs.yardstick import GRID

    def differences(pairs: np.ndarray) -> np.ndarray:
        moved = np.diff(pairs.astype(np.float32), axis=1)
        return adaptive_avg_pool2d(torch.from_numpy(moved), GRID).repeat(1, 2, 1, 1).flatten(1).numpy()

    def run(*arguments, paper=PAPER, page=False):
        alone = [] if {"--processes", "--gpus", "predict"} & set(map(str, arguments)) else ["--processes", "1"]
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr("shared.runs.yardstick.flow_on_grid", differences)
            if not page:
                patch.setattr("shared.report.page.page", lambda *_: "no page")
            main(paper, [*map(str, arguments), *alone])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run
