"""What only a GPU shows. All other tests run on the processor, also where there is a GPU (see `conftest.py`)."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import GPUS
from test_storm import ROWS
from tiny import paper_of, session_of
from toy.forked import python
from toy.gpu import METHODS
from toy.shell import ENVIRONMENT, ROOT

from shared.runs.experiment import predicted
from shared.runs.weights import load_network

pytestmark = pytest.mark.skipif(not shutil.which("nvidia-smi"), reason="no GPU of NVIDIA here")


def on_gpu(*arguments) -> str:
    """What `python -m arguments` prints where it sees the GPUs."""
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "CUDA_VISIBLE_DEVICES"}
    environment |= {"CUDA_VISIBLE_DEVICES": GPUS} if GPUS != "all" else {}
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("method", METHODS)
def test_no_step_waits(method, with_macro, tmp_path):
    found = json.loads(on_gpu("toy.gpu", method, with_macro("CK+", "DFEW", "EmotioNet"), tmp_path).splitlines()[-1])
    print(found)
    assert min(found["steps"].values()) > 1 and not found["waits"], found


@pytest.mark.parametrize("package", ROWS)
def test_a_run_there_is_that_of_the_processor(package, with_macro, tmp_path):
    """Three folds at a time: as many records, of the same samples, near losses; the networks say on the processor what
    the records say."""
    row, macro, settings = ROWS[package]
    data = with_macro(*[macro] * bool(macro))
    small = [f"--set={key}={value}" for key, value in settings.items()]
    there, here = ([row, "--data", data, "--out", tmp_path / name, "--skip-broken", *small] for name in ("gpu", "cpu"))
    said = on_gpu(package, *there, "--folds-per-gpu", 3)
    done = python(package, *here)
    assert done.returncode == 0, done.stderr
    folds = [path for path in (tmp_path / "cpu" / package).rglob("seed-*/*.json") if path.name != "record.json"]
    paper = paper_of(package)
    session = session_of(paper, [str(argument) for argument in there])
    ((table, (chosen,)),) = paper.choose([row])
    experiment = session.experiments(chosen, table.columns[0], 1)[0]
    samples, inputs = session.inputs(experiment.task, experiment.config)
    assert folds, said
    for path in folds:
        name = path.relative_to(tmp_path / "cpu")
        cpu, gpu = (json.loads(p.read_text(encoding="utf-8")) for p in (path, tmp_path / "gpu" / name))
        assert cpu["device"] == "cpu" != gpu["device"]
        for key in ("samples", "targets", "train", "config", "code"):
            assert cpu[key] == gpu[key], key
        assert gpu["history"][0]["loss"] == pytest.approx(cpu["history"][0]["loss"], rel=0.3)
        net, _ = load_network((tmp_path / "gpu" / name).with_suffix(".safetensors"), package)
        scores, _ = paper.apply(net, inputs, experiment.config)
        rows = [list(samples["sample"]).index(sample) for sample in gpu["samples"]]
        kept = predicted(gpu, paper.rule, experiment.metrics[0])
        torch.testing.assert_close(scores[rows], torch.tensor(kept), rtol=0, atol=0.02)  # convolutions in TF32 there


def test_mixed_precision_and_the_compiler(four_people, tmp_path):
    row, _, settings = ROWS["sca_au"]
    small = [f"--set={key}={value}" for key, value in {**settings, "precision": "bf16", "compile": "true"}.items()]
    on_gpu("sca_au", row, "--data", four_people, "--out", tmp_path, "--skip-broken", *small)


def test_the_cost_of_a_run_names_the_gpu_and_its_memory(four_people, tmp_path):
    what = "ma2mi", "table1/w/o (baseline)@CASME", "--data", four_people, "--out", tmp_path
    said = on_gpu(*what, "--skip-broken", "--dry-run")
    assert "memory of the GPU" in said
