"""Every row runs, at a step or two; the networks of the paper's scale can be built."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import session_of

from sca_au import Res3D
from sca_au.experiments import ABLATION, METHODS, NETWORKS, PAPER
from sca_au.svm import PENALTIES, svm_scores
from sca_au.train import apply, classify, network, start
from shared.errors import UserError

ROOT = Path(__file__).parents[2]

TINY = [
    f"--set={change}"
    for change in (
        "width=4",
        "reduced=8",
        "size=40",
        "resize=60",
        "tim=10",
        "frames=4",
        "epochs=2",
        "batch=4",
        "blocks=2",
    )
]


def test_every_row_runs(toy, corpus, tmp_path):
    tables = ["table1", *(f"table{name}@AVG" for name in ("4", "1-macro", "4-macro", "1-accuracy", "4-accuracy"))]
    code, printed, errors = toy(
        *tables,
        "figure5",
        "--scale",
        "smoke",
        "--data",
        corpus,
        "--out",
        tmp_path,
        *TINY,
        "--set=epochs=1",
        paper=PAPER,
        page=True,
    )
    assert code == 0, errors
    assert "weights: random, not those of Kinetics and UCF-101" in printed and "first frame is subtracted" in printed
    folder = tmp_path / "sca_au" / "smoke" / "casme2-au8"
    cells = (folder.parent / "tables.csv").read_text().count(",4 of 4 folds")
    assert cells == 4 * 9 * (10 + 8) + 6  # of Tables 1 and 4: mean of folds, pooled, macro F1, accuracy; of Figure 5
    assert len(list(folder.iterdir())) == 10 + 6  # Baseline and Baseline + SCA_Learn are rows of Table 1
    record = json.loads(next((folder / "default" / "seed-0").glob("*.json")).read_text())
    assert record["figures"]["parameters"] == sum(p.numel() for p in network(tiny(), 8)().parameters())
    assert record["times"]["step"] > 0
    page = (tmp_path / "sca_au" / "smoke" / "index.html").read_text()
    for title in ("Figure 1", "Figure 5", "Figure 6", "Figure 7", "Section 4.4"):
        assert f"<b>{title}" in page


def test_settings_are_those_of_sections_4_2_and_4_3():
    config = PAPER.config()
    assert (config.size, config.tim, config.frames) == (112, 50, 10)
    assert (config.lr, config.drop, config.epochs) == (0.01, 30, 60)
    assert (config.weight_decay, config.momentum, config.dropout, config.batch) == (0.001, 0.9, 0.5, 64)
    assert (config.blocks, config.radii, config.k) == (5, (3, 3, 3), 4)
    assert (PENALTIES[0], PENALTIES[-1]) == (0.001, 1000)


def test_rows_set_what_their_names_say():
    parts = {"SA": "SA", "CA": "CA", "Max": "max", "Avg": "avg", "Concat": "concat", "Learn": "scalar"}
    for row in (row for table in PAPER.tables for row in table.rows):
        network, _, attention = row.name.removesuffix(" by rows (ours)").partition(" + ")
        if network in ("LBP-TOP", "LPQ-TOP", "LBP-SIP", "HOG3D"):
            expected = dict(descriptor=network)
        else:
            expected = dict(depth=18 if network == "Baseline" else int(network.removeprefix("Res3D")), attention="none")
        if attention:
            expected["attention"] = "scalar" if attention == "SCA" else parts[attention.removeprefix("SCA_")]
        if "by rows" in row.name:
            expected["attention"] = "rows"
        assert PAPER.config(**row.changes) == PAPER.config(**expected), row.name


def tiny(**changes):
    return PAPER.base("smoke", dict(change.removeprefix("--set=").split("=") for change in TINY) | changes)


@pytest.mark.parametrize("row", NETWORKS + ABLATION, ids=lambda row: row.name)
def test_networks_of_the_paper_s_scale_can_be_built(row, tmp_path):
    config = PAPER.config(**row.changes, start="random")
    with torch.device("meta"):
        net = network(config, 8)()
        clips = torch.empty(2, 3, config.frames, config.size, config.size)
    assert net(clips).shape == (2, 8)


def test_the_zoo_s_weights_are_taken_or_asked_for(toy, corpus, tmp_path):
    row = ["table1/Res3D18", "--data", corpus, "--out", tmp_path / "out", "--weights", tmp_path, *TINY]
    code, _, errors = toy(*row, paper=PAPER)
    path = tmp_path / "resnet-18-kinetics-ucf101_split1.pth"
    assert code == 2 and f"{path} is not there: the 2018 model zoo" in errors and "start=random" in errors

    torch.save({"state_dict": Res3D(18, width=8, classes=101).state_dict()}, path)
    code, _, errors = toy(*row, paper=PAPER)
    assert code == 2 and f"{path} does not hold the 2018 model zoo's Res3D18" in errors

    net = Res3D(18, width=4, classes=101)
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, path)
    code, printed, errors = toy(*row, paper=PAPER)
    assert code == 0 and "weights: those of Kinetics and UCF-101 (resnet-18-kinetics-ucf101_split1.pth" in printed, (
        errors
    )


FILES = {
    (18, "zoo"): ("resnet-18-kinetics-ucf101_split1.pth", 101),
    (50, "zoo"): ("resnet-50-kinetics.pth", 400),
    (101, "zoo"): ("resnet-101-kinetics.pth", 400),
    (18, "kinetics"): ("resnet-18-kinetics.pth", 400),
    (50, "kinetics-ucf101"): ("resnet-50-kinetics-ucf101_split1.pth", 101),
}


@pytest.mark.parametrize(("depth", "initial"), FILES)
def test_a_file_s_classifier_shows_what_it_was_trained_on(depth, initial, tmp_path):
    file, classes = FILES[depth, initial]
    config = dataclasses.replace(tiny(), depth=depth, start=initial, width=2)
    (line, *_) = PAPER.remarks(config, (), ())
    alone = " alone, not of UCF-101 as in the paper" if classes == 400 else " and UCF-101"
    assert line == f"weights: those of Kinetics{alone} ({file} of the 2018 model zoo of 3D ResNets)"
    for given in (400, 101, None):
        released = Res3D(depth, width=2, classes=given)
        torch.save({"state_dict": {f"module.{k}": v for k, v in released.state_dict().items()}}, tmp_path / file)
        net = network(config, 8)()
        if given == classes:
            start(net, config, tmp_path)
            assert torch.equal(net.backbone.layer4[1].conv2.weight, released.layer4[1].conv2.weight)
        else:
            found = f"a classifier of {given} classes" if given else "no classifier"
            with pytest.raises(UserError, match=f"{file} does not hold .*: it has {found}; that of .* has {classes}"):
                start(net, config, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("size=32 resize=40", "size=32: expected at least 33"),
        ("size=70", "size=70: expected at most resize=64"),
        ("frames=60", "frames=60: expected at most tim=50"),
        ("window=4", "window=4: expected an odd number"),
        ("descriptor=LBP-TOP tim=6 frames=4", "tim=6: expected at least 7 for LBP-TOP"),
        ("descriptor=HOG3D blocks=6", "resize=64: expected at least 72 for HOG3D with blocks=6"),
        ("depth=34", "--set depth=34: expected"),
        ("attention=learn", "--set attention=learn: expected"),
        ("start=imagenet", "--set start=imagenet: expected"),
        ("reduced=0 batch=-1", "reduced=0: expected at least 1"),
        ("reduced=0 batch=-1", "batch=-1: expected at least 1"),
        ("dropout=1 lr=0", "dropout=1.0: expected at least 0 and less than 1\nlr=0.0: expected more than 0"),
        (
            "momentum=nan weight_decay=-1",
            "momentum=nan: expected a finite number\nweight_decay=-1.0: expected at least 0",
        ),
    ],
)
def test_settings_that_cannot_run_are_refused(settings, message, toy, tmp_path):
    given = [f"--set={change}" for change in settings.split()]
    code, _, errors = toy("table1/Res3D18", "--scale", "smoke", "--data", tmp_path, *given, paper=PAPER)
    assert code == 2 and message in errors


@pytest.mark.parametrize("subtract", ["false", "true"])
def test_the_kept_network_says_of_stored_images_what_its_record_says(subtract, toy, corpus, tmp_path):
    options = ["table1/Res3D18 + SCA", "--scale", "smoke", "--data", str(corpus), "--out", str(tmp_path), *TINY]
    options.append(f"--set=subtract={subtract}")
    code, printed, errors = toy(*options, paper=PAPER)
    assert code == 0, errors
    assert ("input: the first frame is subtracted" in printed) == (subtract == "true")
    session = session_of(PAPER, options)
    (experiment,) = session.experiments(METHODS[7], PAPER.table("1").columns[0], 1)
    for fold in experiment.folds:
        record = json.loads(experiment.record_path(fold).read_text())
        rows = [list(experiment.samples["sample"]).index(sample) for sample in record["samples"]]
        images = np.array(experiment.data.x[rows])[:, :, 10:50, 10:50]  # 40 of 60 pixels
        weights = experiment.record_path(fold).with_suffix(".safetensors")
        net = torch.hub.load(str(ROOT), "sca_au", source="local", weights=str(weights))
        printed, kept = net(torch.from_numpy(images).permute(0, 4, 1, 2, 3) / 255).sigmoid(), experiment.scores()
        recorded = torch.tensor([kept[sample] for sample in record["samples"]])
        torch.testing.assert_close(printed, recorded, rtol=0, atol=1e-4)


def test_svms_that_do_not_converge_are_counted_under_the_table(monkeypatch):
    """Each unit's SVM at each C; here after two iterations."""
    monkeypatch.setattr("sca_au.train.svm_scores", partial(svm_scores, iterations=2))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 9)), torch.from_numpy(rng.integers(0, 2, (40, 2))).float()
    training = SimpleNamespace(
        fold=SimpleNamespace(val=["a"]),
        data=SimpleNamespace(x=x),
        targets=y,
        indices=lambda part: torch.arange(20) + 20 * (part == "val"),
        device=torch.device("cpu"),
        score=lambda epoch, predict: None,
        figures={},
    )
    classify(training)
    count = training.figures.not_converged
    assert 2 <= count <= 2 * len(PENALTIES)
    record = {"figures": dataclasses.asdict(training.figures)}
    _, unsure = PAPER.remarks(PAPER.config(descriptor="HOG3D"), (), [record, record])
    assert unsure.startswith(f"HOG3D: {2 * count} SVMs have not converged")
    assert len(PAPER.remarks(PAPER.config(descriptor="HOG3D"), (), [{"figures": {"not_converged": 0, "C": []}}])) == 1


def test_svms_learn_from_the_training_part_and_choose_C_on_the_validation_part(monkeypatch):
    given = []

    def noted(train, val, x):
        given.extend([train, val, x])
        return np.zeros((len(x), 2)), np.ones(2)

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.integers(0, 2, (30, 2))
    rows = {"train": np.arange(0, 30, 3), "val": np.arange(1, 30, 3), "test": np.arange(2, 30, 3)}
    training = SimpleNamespace(
        config=SimpleNamespace(descriptor="HOG3D"),
        fold=SimpleNamespace(val=["a"]),
        data=SimpleNamespace(x=x),
        targets=torch.from_numpy(y).float(),
        indices=lambda part: torch.from_numpy(rows[part]),
        device=torch.device("cpu"),
        score=lambda epoch, predict: None,
        figures={},
    )
    monkeypatch.setattr("sca_au.train.svm_scores", noted)
    classify(training)
    for part, (features, units) in zip(("train", "val"), given[:2], strict=True):
        assert np.array_equal(features, x[rows[part]]) and np.array_equal(units, y[rows[part]])
    assert np.array_equal(given[2], x)


def test_maps_cover_the_face_where_the_margins_differ():
    config = PAPER.config(size=40, resize=47, width=8, reduced=8)
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 47, 47, 3), np.uint8)
    scores, maps = apply(network(config, 3)(), SimpleNamespace(x=clips), config)
    assert scores.shape == (2, 3) and maps.shape == (2, 3, 47, 47)
