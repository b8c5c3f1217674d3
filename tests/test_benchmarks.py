"""Every benchmark runs at its smallest size and prints the ratio that it is about."""

import importlib
import math
import re
from pathlib import Path

import pytest
import torch

BENCHMARKS = sorted((Path(__file__).parent / "benchmarks").glob("bench_*.py"))


@pytest.fixture
def threads():
    """A benchmark may set the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_there_are_benchmarks():
    assert len(BENCHMARKS) > 10


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_runs_at_its_smallest_size(path, capsys, threads):
    importlib.import_module(f"benchmarks.{path.stem}").main(["--small"])
    ratios = re.findall(r"\bratio ([\w.+-]+)", out := capsys.readouterr().out)
    assert ratios and all(map(math.isfinite, map(float, ratios))), out
