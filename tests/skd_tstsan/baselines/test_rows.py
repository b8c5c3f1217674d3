"""The rows of the baselines from the command line: records, kept weights, what stands under the table."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from toy.forked import python

from shared.cli import main
from shared.runs.experiment import predicted
from shared.runs.weights import load_network
from shared.tasks import TASKS
from skd_tstsan.experiments import PAPER

METHODS = ("STSTNet", "CapsuleNet", "MMNet")
TINY = ("resize=32", "width=8", "image=144", "ststnet_epochs=2", "capsulenet_epochs=1", "mmnet_epochs=1")


def folds(out: Path) -> dict[str, dict]:
    """The records of an output folder, by method and fold, and the content of the weights beside them."""
    found = {}
    for path in sorted((out / "skd_tstsan").rglob("CASME2_sub*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["weights"] = path.with_suffix(".safetensors")
        found[record["config"]["method"], record["fold"]] = record
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[dict, dict, str, Path]:
    """A fold of each person and method, by one process and by two; what the first one prints; the data."""
    from toy.corpus import write_casme2

    folder = tmp_path_factory.mktemp("rows")
    data = write_casme2(folder / "data", subjects=2)
    rows = [f"baselines/{method} (ours)@CASME II" for method in METHODS]
    options = [*rows, "--data", str(data), "--scale", "smoke", *(f"--set={change}" for change in TINY), "--out"]
    with redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as ended:
        main(PAPER, [*options, str(folder / "1"), "--processes", "1"])
    assert ended.value.code == 0
    done = python("skd_tstsan", *options, folder / "2", "--processes", 2)
    assert done.returncode == 0, done.stderr
    return folds(folder / "1"), folds(folder / "2"), printed.getvalue(), data


def test_two_processes_leave_what_one_leaves(runs):
    one, two, *_ = runs
    assert set(one) == set(two) == {(method, f"CASME2/sub0{n}") for method in METHODS for n in (1, 2)}
    for place, record in one.items():
        for part in ("samples", "predictions", "history", "config"):
            assert record[part] == two[place][part], (place, part)
        assert record["weights"].read_bytes() == two[place]["weights"].read_bytes(), place


def test_kept_weights_make_the_network_again(runs):
    for (method, _), record in runs[0].items():
        net, about = load_network(record["weights"], "skd_tstsan")
        inputs = (torch.rand(2, *shape) for shape in about["input"]["shapes"].values())
        assert net.predict(*inputs).shape == (2, len(about["labels"]))
        assert type(net).__name__ == about["network"] == method and not net.training
        assert about["labels"] == list(TASKS["casme2-5-apex"].classes)


@pytest.mark.parametrize("method", METHODS)
def test_a_clip_of_ones_own(method, runs, toy, tmp_path):
    """Scores of each class for a test clip: those of its record, but for CapsuleNet, whose runs rotate test frames."""
    record, clip = runs[0][method, "CASME2/sub01"], runs[3] / "CASME2" / "Cropped" / "sub01" / "EP01_01"
    out = tmp_path / "mine"
    code, said, errors = toy("predict", record["weights"], "--clip", clip, "--apex", 2, "--out", out, paper=PAPER)
    assert code == 0, errors
    scores = json.loads((out / "prediction.json").read_text(encoding="utf-8"))["scores"]
    assert list(scores) == list(TASKS["casme2-5-apex"].classes) and all(label in said for label in scores)
    kept = predicted(record, "best_on_test", "uf1")[record["samples"].index("CASME2/sub01/EP01_01")]
    if method != "CapsuleNet":
        assert list(scores.values()) == pytest.approx(kept, rel=1e-4, abs=1e-5)


def test_both_rules_and_what_a_reader_must_know_are_printed(runs):
    printed = runs[2]
    assert all(f"{method} (ours)" in printed for method in METHODS)
    assert "best_on_test" in printed and "last" in printed and "weights: random" in printed
    assert "training: as in the method's own code, without CK+" in printed
    assert "input: test frames are rotated at random" in printed


def test_the_rows_of_table_3():
    """All five methods in six classes; in four MMNet is cited (Sec. 4.4)."""
    table = PAPER.table("table3")
    run = {(row.name.split(" (")[0], column.task) for row, column in table.cells()}
    methods = {"CapsuleNet", "MMNet", "STSTNet", "TSCNN", "SKD-TSTSAN"}
    assert run == {(m, t) for m in methods for t in ("mmew-6-others", "mmew-4")} - {("MMNet", "mmew-4")}
    for scale in ("smoke", "paper"):
        for row, _ in table.cells():
            config = PAPER.config(**{**(PAPER.smoke if scale == "smoke" else {}), **row.changes})
            assert config.pretrained == (config.method == "SKD-TSTSAN")
            files = PAPER.files(config)
            assert files == (("resnet18-f37072fd.pth",) if (config.method, scale) == ("CapsuleNet", "paper") else ())
    with torch.device("meta"):
        from skd_tstsan.baselines.train import capsulenet, mmnet

        paper = PAPER.base("paper", {})
        assert sum(p.numel() for p in capsulenet(paper, 3)().parameters()) == 13_842_496
        assert sum(p.numel() for p in mmnet(paper, 5)().parameters()) == 9_438_841
