"""Reports are built from all records of a folder, need nothing else, and leave out what is stale."""

import dataclasses
import io
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from toy.experiments import PAPER
from toy.left import table

from shared import faces
from shared.files import read_json, write_json
from shared.report.figures import overlay
from shared.runs.session import Session

CONSTANT = "constant baseline (largest class)"
PLAIN, PRETRAINED = "casme2-5/default", "casme2-5/pretrain=True"


@pytest.fixture
def out(whole, tmp_path):
    """The output of both rows of the toy, to change."""
    return shutil.copytree(whole[1], tmp_path / "out")


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def rows(toy, out, *arguments):
    """The rows that `diff` finds measured."""
    lines = toy("--diff", "--out", out, "--format", "csv", *arguments)[1].splitlines()
    return [line.partition(",")[0] for line in lines if line and not line.startswith(("#", "row,"))]


def test_diff_needs_the_records_alone(toy, casme2, tmp_path, monkeypatch):
    out = tmp_path / "out"
    how = ("--scale", "smoke", "--set", "epochs=1", "--seeds", 2, "--rule", "best_on_test")
    code, ran, _ = toy("table1", "--data", casme2, "--out", out, *how)
    assert code == 0 and "8 of 8 folds" in ran
    shutil.rmtree(casme2)
    shutil.rmtree(out / "cache")
    before = contents(out)
    monkeypatch.setattr(faces, "write", lambda *_, **__: pytest.fail("drawn"))
    code, printed, _ = toy("--diff", "--out", out)
    assert code == 0 and ran.startswith(printed)
    assert "smoke scale; changed settings, epochs=1: not comparable" in printed and "set: epochs=1" in printed
    assert contents(out) == before  # as on a disk that cannot be written
    for others in (["--scale", "paper"], ["--rule", "last"], ["--out", tmp_path / "none"]):
        code, printed, said = toy("--diff", "--out", out, *others)
        assert code == 2 and not printed and "no records of toy that this version reads in" in said


def test_diff_prints_each_kind_of_run_and_chosen_tables_alone(toy, whole, out):
    assert toy("table1/plain", "--data", whole[0], "--out", out, "--scale", "smoke")[0] == 0
    code, printed, _ = toy("--diff", "--out", out)
    assert code == 0 and printed.count("Toy, Table 1: the toy") == 2 and printed.count("*** smoke scale") == 1
    printed = toy("--diff", "2", "--out", out, "--scale", "paper")[1]
    assert "Table 2" in printed and "Table 1" not in printed and "not run: no records" in printed


def test_diff_prints_what_was_recorded_with_data_too(toy, casme2, tmp_path):
    """Not the headline, of which there is nothing; reports of what has gone go, too."""
    paper = dataclasses.replace(PAPER, headline=("table2/on SAMM",))
    where = ("--data", casme2, "--out", tmp_path / "out")
    assert toy("table1/plain", *where, paper=paper)[0] == 0
    stale = tmp_path / "out/toy/paper/predictions-casme2-3.csv"
    stale.write_text("of records that are gone")
    code, printed, _ = toy("--diff", *where, paper=paper)
    assert code == 0 and "Table 1" in printed and "Table 2" not in printed and not stale.exists()
    assert (stale.parent / "predictions-casme2-5.csv").exists()


def test_a_later_command_keeps_what_is_there(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out")
    assert toy("table1/w/ pre-training", *where, "--seeds", 2)[0] == 0
    other = dataclasses.replace(PAPER.tables[1], rows=(dataclasses.replace(PAPER).tables[0].rows[0],))
    paper = dataclasses.replace(PAPER, tables=(PAPER.tables[0], other))
    assert toy("2", *where, paper=paper, page=True)[0] == 0
    found = pd.read_csv(io.StringIO(table(tmp_path / "out", "tables.csv")))
    assert set(found["table"]) == {"table1", "table2"}
    counted = found[found["row"] == "w/ pre-training"]
    assert list(counted["seeds"]) == [2, 2]
    page = (tmp_path / "out/toy/paper/index.html").read_text(encoding="utf-8")
    assert "Table 1: the toy" in page and "Table 2: other data" in page


def test_a_setting_that_other_rows_cannot_take_ends_those_alone(toy, casme2, tmp_path):
    where = ("--data", casme2, "--out", tmp_path / "out", "--set", "epochs=5")
    assert toy("table1/plain", *where, page=True)[0] == 0
    assert toy("--diff", "--out", tmp_path / "out")[0] == 0
    code, _, said = toy("table2", *where)
    assert code == 2 and "epochs=5: expected at most 4 with source=SAMM" in said


def spoil(out, change, which=slice(0, 1), folder=PLAIN):
    for path in sorted(out.glob(f"toy/paper/{folder}/seed-0/*.json"))[which]:
        write_json(path, read_json(path) | change(read_json(path)))


ALL = slice(None)
STALE = {
    "another scale": (lambda r: {"scale": "smoke"}, ALL, "scale: recorded 'smoke', now 'paper'"),
    "code": (lambda r: {"code": "abc"}, ALL, "code: recorded 'abc', now"),
    "code of one": (lambda r: {"code": "abc"}, slice(0, 1), "(--accept-code uses it)"),
    "data": (lambda r: {"data": r["data"] | {"table": "abc"}}, ALL, "data.table: recorded 'abc', now"),
    "data of one": (lambda r: {"data": r["data"] | {"samples": 5}}, slice(1, 2), "data.samples: recorded 5, now 12"),
    "settings": (lambda r: {"set": {"lr": "0.1"}}, ALL, "it was run with --set lr=0.1"),
    "settings of one": (lambda r: {"config": r["config"] | {"lr": 9.0}}, slice(1, 2), "config.lr: recorded 9.0, now"),
    "an old version": (lambda r: {"config": {"rate": 1}}, ALL, "settings are those of another version of the code"),
    "metrics": (lambda r: {"metrics": ["uar"]}, ALL, "metrics: recorded ['uar'], now"),
    "split": (lambda r: {"train": r["train"][1:]}, slice(0, 1), "not the folds of one split"),
    "a copy": (lambda r: {"samples": r["train"][:3], "train": r["samples"] + r["train"][3:]}, slice(1, 2), "one split"),
    "lengths": (lambda r: {"targets": [0]}, slice(0, 1), "lists of different lengths"),
    "nonsense": (lambda r: {"data": 5}, ALL, "not records of this version"),
    "a task": (lambda r: {"task": "none"}, ALL, "not records of this version"),
}


@pytest.mark.parametrize(("change", "which", "why"), STALE.values(), ids=STALE.keys())
def test_what_is_stale_is_left_out_and_the_reason_given(toy, out, change, which, why):
    spoil(out, change, which)
    for path in out.glob(f"toy/paper/{PRETRAINED}/*/*.json"):
        os.utime(path, (4e9, 4e9))  # the newest: it says with which settings the folder is read
    code, printed, _ = toy("--diff", "--out", out, "--scale", "paper")
    assert code == 0
    (line,) = [line for line in printed.splitlines() if "is left out: " in line]
    assert f"{out}/toy/paper/{PLAIN}/seed-0 is left out: " in line and why in line
    assert rows(toy, out, "--scale", "paper") == ["w/ pre-training", CONSTANT]


def test_a_fold_that_was_trained_again_makes_its_folder_the_newest(toy, out):
    spoil(out, STALE["data"][0], ALL)
    assert rows(toy, out, "--scale", "paper") == ["w/ pre-training", CONSTANT]
    spoil(out, lambda r: {"times": r["times"] | {"started": "2999-01-01"}}, slice(0, 1))
    assert rows(toy, out, "--scale", "paper") == ["plain", CONSTANT]


def test_a_damaged_record_is_named_and_its_experiment_is_not_done(toy, out):
    path = out / f"toy/paper/{PLAIN}/seed-0/CASME2_sub02.json"
    path.write_bytes(path.read_bytes()[:-9])
    code, printed, _ = toy("--diff", "--out", out)
    assert code == 0 and f"{path} is not a whole record" in printed and "subjects, 3 of 4 folds" in printed
    assert rows(toy, out) == ["w/ pre-training", CONSTANT]


def test_other_code_is_accepted_by_name(toy, out, monkeypatch):
    monkeypatch.setattr(Session, "code", "123456789abc")
    assert "no records" in toy("--diff", "table1", "--out", out)[1]
    printed = toy("--diff", "--out", out, "--accept-code")[1]
    assert (
        rows(toy, out, "--accept-code") == ["plain", "w/ pre-training", CONSTANT]
        and "4 of 4 records were made by other code" in printed
    )


def test_records_of_rows_that_were_not_chosen_are_compared_with_the_data(toy, whole, out, tmp_path):
    """Where they are stale the chosen rows are run and printed all the same."""
    data = shutil.copytree(whole[0], tmp_path / "data")
    shutil.rmtree(out / "toy/paper" / PLAIN)
    image = sorted(data.rglob("*.png"))[0]
    image.write_bytes(image.read_bytes() + b"\0")
    code, printed, _ = toy("table1/plain", "--data", data, "--out", out)
    assert code == 0 and f"{PRETRAINED}/seed-0 is left out: " in printed and "CASME2.pixels" in printed
    assert "not run: no records [rows: w/ pre-training]" in printed


def test_numbers_behind_a_table_are_those_that_it_shows(toy, casme2, tmp_path):
    """Accuracy, its standard deviation and UF1 from the predictions of each sample, by scikit-learn and by hand."""
    from sklearn.metrics import confusion_matrix, f1_score

    assert toy("table1/plain", "--data", casme2, "--out", tmp_path / "out", "--seeds", 3)[0] == 0
    names = ("tables", "seeds", "predictions-casme2-5", "confusions")
    tables, seeds, predictions, confusions = (
        pd.read_csv(io.StringIO(table(tmp_path / "out", f"{name}.csv"))) for name in names
    )
    assert len(predictions) == 36 and not predictions.duplicated(["seed", "sample"]).any()
    right = predictions["truth"] == predictions["prediction"]
    each = 100 * right.groupby(predictions["seed"]).mean()
    labels = ["happiness", "surprise", "disgust", "repression", "others"]
    scores = predictions[[f"score {name}" for name in labels]].to_numpy()
    assert list(np.array(labels)[scores.argmax(axis=1)]) == list(predictions["prediction"])
    plain = tables[(tables["row"] == "plain") & (tables["column"] == "Acc (%)")].iloc[0]
    assert plain["value"] == pytest.approx(each.mean(), rel=1e-5)
    assert plain["sd over seeds"] == pytest.approx(each.std(ddof=1), rel=1e-5)
    assert plain["difference"] == pytest.approx(each.mean() - plain["printed"], rel=1e-5)
    assert list(seeds[seeds["column"] == "Acc (%)"]["value"]) == pytest.approx(list(each), rel=1e-5)
    for seed, part in predictions.groupby("seed"):
        uf1 = f1_score(part["truth"], part["prediction"], labels=labels, average="macro", zero_division=0)
        (found,) = seeds[(seeds["column"] == "UF1") & (seeds["seed"] == seed)]["value"]
        assert found == pytest.approx(uf1, rel=1e-5)
        counts = confusions[confusions["seed"] == seed]["count"].to_numpy().reshape(5, 5)
        assert (counts == confusion_matrix(part["truth"], part["prediction"], labels=labels)).all()


@pytest.mark.parametrize(("value", "flat"), [(0.0, True), (0.5, True), (None, False)])
def test_a_flat_activation_map_says_so(value, flat):
    _, axis = plt.subplots()
    overlay(axis, np.arange(4.0).reshape(2, 2) if value is None else np.full((2, 2), value), 8)
    assert [text.get_text() for text in axis.texts] == ["no activation"] * flat and len(axis.images) == (not flat)
    plt.close()
