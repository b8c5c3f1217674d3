"""The yardstick: its features on moved squares, its SVM by hand, its rows beside those of a paper."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.svm import SVC
from toy.experiments import PAPER

from shared.corpora import casme2 as corpus
from shared.pixels.images import read
from shared.runs import yardstick
from shared.runs.experiment import predicted
from shared.runs.fold import FoldTraining
from shared.runs.yardstick import Config, answers, flow_on_grid, kept, unfit
from shared.tasks import TASKS


def texture(size=(136, 112), seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.random((size[0] // 8 + 2, size[1] // 8 + 2))
    return np.kron(coarse, np.ones((8, 8)))[: size[0], : size[1]]


def test_a_face_that_moves_as_a_whole_has_no_flow_and_a_cell_that_moves_has():
    """What moves everywhere alike is the median. A square that moves 2 pixels to the right shows in its cells alone, in
    the first half of the features, which is u, row by row of the grid of 10 × 8."""
    still = (texture() * 200).astype(np.uint8)
    whole = np.roll(still, 1, axis=1)
    part = still.copy()
    part[68:95, 56:84] = np.roll(still, 2, axis=1)[68:95, 56:84]  # rows 5, 6 and columns 4, 5 of the grid
    moved, some = flow_on_grid(np.stack([[still, whole], [still, part]])).reshape(2, 2, 10, 8)
    assert np.abs(moved[:, 1:-1, 1:-1]).max() < 0.2
    assert some[0, 5:7, 4:6].min() > 0.5 and some[0, 5:7, 4:6].mean() > 5 * np.abs(some[1]).mean()
    assert np.abs(some[0, :4]).max() < 0.3

    part[40:95, 40:104] = np.roll(still, 8, axis=1)[40:95, 40:104]  # a quarter, which would move a mean by 2 pixels
    far = flow_on_grid(np.stack([[still, part]])).reshape(2, 10, 8)
    assert np.abs(np.median(far[0])) < 0.1


def test_flow_is_computed_once_a_clip(tmp_path, monkeypatch):
    """Other tasks of the same clips find it; other pixels are another clip; a damaged file is computed again."""
    asked = []
    monkeypatch.setattr(
        yardstick, "tvl1", lambda a, b: asked.append(len(a)) or (b - a.float())[:, None].repeat(1, 2, 1, 1)
    )
    pairs = np.random.default_rng(0).integers(0, 99, (3, 2, 136, 112), np.uint8)
    first = kept(pairs[:2], tmp_path / "flow")
    assert np.array_equal(kept(pairs, tmp_path / "flow")[:2], first) and sum(asked) == 3
    assert np.array_equal(kept(pairs[[2, 0]], tmp_path / "flow")[1], first[0]) and sum(asked) == 3
    for path in (tmp_path / "flow").glob("*.json"):
        path.write_text("{}")
    assert np.array_equal(kept(pairs[:2], tmp_path / "flow"), first) and sum(asked) == 5


def test_the_svm_is_fitted_to_standardised_training_samples():
    """By hand: mean and deviation of the training samples alone, then scikit-learn's SVM with balanced classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 40)
    x = rng.normal(y[:, None], 1, (40, 6)) * (1, 10, 100, 1, 1, 1)
    every = rng.normal(1, 1, (15, 6)) * (1, 10, 100, 1, 1, 1)
    mean, deviation = x.mean(0), x.std(0)
    weights = {c: 40 / (3 * (y == c).sum()) for c in range(3)}
    svm = SVC(kernel="linear", C=0.05, class_weight=weights).fit((x - mean) / deviation, y)
    assert np.array_equal(answers(x, y, every, Config()), svm.predict((every - mean) / deviation))


@pytest.mark.parametrize(
    ("answer", "y", "said"),
    [
        ("largest class", [2, 2, 0], 2),
        ("all present", [0, 1, 0], 1),
        ("all absent", [0, 1, 1], 0),
        ("svm", [0, 0, 0], 0),
        ("svm", [1, 1, 1], 1),
    ],
)
def test_constant_answers(answer, y, said):
    """Also the SVM's, where a fold trains on one class or on no sample without a unit."""
    assert answers(np.eye(3), np.array(y), np.eye(3), Config(answer=answer)).tolist() == [said] * 3


def test_single_images_have_none():
    assert "without an onset" in unfit(TASKS["emotionet-au12"]) and not unfit(TASKS["cde-3"])


def test_it_stands_beside_the_rows_and_is_made_once(toy, casme2, tmp_path, monkeypatch):
    """Records like any other: they test each sample once, and the second start finds them."""
    monkeypatch.setattr(yardstick, "tvl1", lambda a, b: (b - a.float())[:, None].repeat(1, 2, 1, 1))
    with_it = replace(PAPER, yardstick=True)
    options = "table1/plain", "--data", casme2, "--out", tmp_path
    code, printed, said = toy(*options, paper=with_it)
    assert code == 0 and "yardstick casme2-5 default [4/4]" in said
    lines = [line for line in printed.splitlines() if line.startswith("yardstick (")]
    assert len(lines) == 1 and len(re.findall(r"\d\.\d+", lines[0])) == 2  # of both columns
    records = [json.loads(path.read_text()) for path in tmp_path.glob("yardstick/*/casme2-5/*/seed-*/*.json")]
    assert len({s for r in records for s in r["samples"]}) == sum(len(r["samples"]) for r in records) == 12
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("yardstick/**/*.json")}
    code, again, said = toy(*options, paper=with_it)
    assert "yardstick casme2-5" not in said and {p: p.stat().st_mtime_ns for p in before} == before
    assert [line for line in again.splitlines() if "yardstick (" in line]
    code, printed, _ = toy(*options, paper=PAPER)
    assert "yardstick (" not in printed


def test_with_few_people_it_has_as_few(toy, casme2, tmp_path, monkeypatch):
    """--set people=1: every record, the paper's and the yardstick's, is of one person, and all are in the table."""
    monkeypatch.setattr(yardstick, "tvl1", lambda a, b: (b - a.float())[:, None].repeat(1, 2, 1, 1))
    options = "table1/plain", "--data", casme2, "--out", tmp_path, "--set", "people=1"
    code, printed, _ = toy(*options, paper=replace(PAPER, yardstick=True))
    records = [json.loads(path.read_text()) for path in tmp_path.glob("*/*/casme2-5/*/seed-*/*.json")]
    assert code == 0 and len(records) == 2 * 4 and "left out" not in printed and "yardstick (" in printed
    assert {len({sample.split("/")[1] for sample in r["train"]}) for r in records} == {1}


def test_flow_is_from_the_onset_to_the_apex(casme2, tmp_path, monkeypatch):
    """Of the toy's clips the middle one of three images is the apex."""
    asked = []
    monkeypatch.setattr(yardstick, "kept", lambda pairs, folder: asked.extend(pairs) or np.zeros((len(pairs), 160)))
    samples = corpus.read(casme2).samples
    data = yardstick.load(samples, Config(), tmp_path)
    assert data.ids == tuple(samples["sample"])
    for pair, frames in zip(asked, samples["frames"], strict=True):
        np.testing.assert_array_equal(pair, [read(frames.path(n), yardstick.SIZE, gray=True)[..., 0] for n in (1, 2)])


def test_flow_of_other_code_is_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(yardstick, "flow_on_grid", lambda pairs: np.ones((len(pairs), 160)))
    pairs = np.zeros((1, 2, 136, 112), np.uint8)
    assert kept(pairs, tmp_path / "flow").max() == 1
    monkeypatch.setattr(yardstick, "flow_on_grid", lambda pairs: np.full((len(pairs), 160), 2.0))
    assert kept(pairs, tmp_path / "flow").max() == 1
    monkeypatch.setattr(yardstick, "code_key", lambda *_: "other")
    assert kept(pairs, tmp_path / "flow").max() == 2


@pytest.mark.parametrize("answer", ["svm", "largest class"])
def test_a_fold_learns_from_its_training_part_alone(casme2, answer):
    """Of its samples, all of one class; those tested are of another."""
    task, samples = TASKS["casme2-5"], TASKS["casme2-5"].select(corpus.read(casme2).samples)
    fold = task.folds(samples)[1]
    samples["target"] = np.where(samples["sample"].isin(fold.test), 0, 3)
    data = SimpleNamespace(x=np.random.default_rng(0).random((12, 4)))
    training = FoldTraining("", Config(answer=answer), task, fold, data, samples, 0, torch.device("cpu"))
    yardstick.train(training)
    scores = predicted({"predictions": training.predictions}, "last", "accuracy")
    assert np.argmax(scores, axis=1).tolist() == [3, 3, 3]
