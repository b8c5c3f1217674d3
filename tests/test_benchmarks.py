"""Every benchmark runs at its smallest size and prints the ratio that it is about."""

import importlib
import math
import re
import shlex
import subprocess
import sys
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


def test_runs_as_contributing_says():
    root = Path(__file__).parents[1]
    command = next(line for line in (root / "CONTRIBUTING.md").read_text().splitlines() if "benchmarks/bench_" in line)
    command = command.split("#")[0].replace(" python ", f" {shlex.quote(sys.executable)} ")
    command = command.replace("bench_flow", "bench_predict") + " --help"  # which imports from tests
    done = subprocess.run(["bash", "-c", command], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and "--small" in done.stdout, done.stderr
