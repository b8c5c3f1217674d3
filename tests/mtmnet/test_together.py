"""A MacroNet trained by two processes is the one that a single process trains."""

import os
from pathlib import Path

import torch
from toy.forked import called
from toy.shell import ROOT, python_path

from shared.runs.parallel import launch


def test_two_processes_train_the_macronet_of_one(tmp_path, monkeypatch):
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", python_path(ROOT, Path(here)))
    import mtmnet_together as steps

    done = called(launch, ["-m", "mtmnet_together", str(tmp_path)], 2, PYTHONPATH=os.environ["PYTHONPATH"])
    assert done.returncode == 0, done.stderr
    for rank in 0, 1:
        found = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        for mode, weights in zip(steps.MODES, found, strict=True):
            torch.testing.assert_close(weights, steps.alone(mode), rtol=1e-5, atol=1e-7)
