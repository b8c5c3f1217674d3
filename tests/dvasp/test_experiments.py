"""Every distinct row runs on tiny random corpora; at paper scale every network fits its teacher."""

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_map_only

import dvasp
from dvasp import data
from dvasp.config import SMOKE, Config
from dvasp.experiments import PAPER, TABLES
from dvasp.losses import ALPHA, DISTILLATION, student_loss
from dvasp.model import Teacher
from dvasp.train import build_teacher, network, start, train
from shared.errors import UserError
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.tasks import TASKS

CPU = torch.device("cpu")
TINY = dict(resize=40, size=32, width=8, epochs=1, drop=1, batch=6, teacher_epochs=1, teacher_batch=4)
RUN = [(t, r, r2.task) for t in TABLES for r in t.rows if not r.records for r2 in t.columns[:1]]


def distinct(base: Config) -> dict[tuple[Config, str], str]:
    """(configuration, task) -> the first row that asks for it."""
    found: dict[tuple[Config, str], str] = {}
    for table, row, task in RUN:
        found.setdefault((replace(base, **row.changes), task), f"{table.name}/{row.name}")
    return found


BASE = replace(Config(**SMOKE), **TINY)
ROWS = distinct(BASE)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The cache, and a maker of each (corpus, teacher) once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        from faces import micro, teach, wild

        folder, made = tmp_path_factory.mktemp("rows"), {}
        images = wild(folder)

        def get(config: Config, task: str):
            if task not in made:
                made[task] = micro(task, folder)
            needs = str(PAPER.pretraining(config, TASKS[task]))
            if needs not in made:
                stage = folder / f"stage{len(made)}"
                made[needs] = needs != "None" and teach(config, images, folder / "cache", stage, Alone(CPU))[0]
            return folder / "cache", made[task], made[needs] or None

        yield get


def fold_of(config: Config, task: str, corpora) -> FoldTraining:
    cache, samples, weights = corpora(config, task)
    torch.manual_seed(0)
    store = data.load(samples, config, cache)
    return FoldTraining("tiny", config, TASKS[task], TASKS[task].folds(samples)[0], store, samples, 0, CPU, weights)


def check(config: Config, task: str, corpora) -> FoldTraining:
    training = fold_of(config, task, corpora)
    train(training)
    N, tested = len(TASKS[task].aus), len(training.fold.test)
    assert set(training.predictions["epochs"]) == {"last", "best_on_test", "val"}
    scores = np.array(training.predictions["scores"][str(training.scored_epoch)][""])
    assert scores.shape == (tested, N) and scores.min() >= 0 and scores.max() <= 1
    assert len(training.figures.maps) == tested
    for of_aus, target in zip(training.figures.maps, training.targets[training.indices("test")].tolist(), strict=True):
        assert set(of_aus) == {str(i) for i, shown in enumerate(target) if shown}
        assert all(np.shape(maps) == (config.views, 1, 1) for maps in of_aus.values())
    return training


@pytest.mark.parametrize(("config", "task"), ROWS, ids=ROWS.values())
def test_every_row_runs(config, task, corpora):
    check(config, task, corpora)


def test_a_network_that_is_shared_knows_of_its_input(corpora):
    """Onset and apex as they are stored are all that it takes to have a record's scores."""
    training = fold_of(replace(BASE, ratio=5.0), "samm-au4", corpora)
    train(training)
    arguments = json.loads(json.dumps(training.made["arguments"]))  # as they lie in the header of the weights
    net = getattr(dvasp, training.made["network"])(**arguments).eval()
    net.load_state_dict(training.scored(training.network).state_dict())
    stored = torch.tensor(training.data.stacked()[training.indices("test").numpy()]).movedim(-1, 2) / 255
    scores = net.predict(dvasp.prepare(stored[:, data.ONSET], stored[:, data.APEX], **net.input))
    recorded = torch.tensor(training.predictions["scores"][str(training.scored_epoch)][""])
    torch.testing.assert_close(scores, recorded, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"follow": "release"}, {"follow": "release", "method": "AT"}, {"selective": "original", "cr_on": "all"}]
)
def test_other_readings_of_the_paper_run(changes, corpora):
    check(replace(BASE, **changes), "samm-au4", corpora)


def test_rows_printed_twice_are_one_experiment():
    """Table I's last row, DVASP-18 and DV+ASP-18; the single-view rows of Table IV in Table II; two more of Table I."""
    assert len(ROWS) == 13 + 13 + 2 + 3


def test_settings_are_those_of_section_iv_c():
    config = PAPER.config()
    assert (config.resize, config.size, config.ratio) == (240, 224, 30)
    assert (config.teacher_lr, config.teacher_lambda_mv, config.lambda_cr) == (0.001, 400, 100)
    assert (config.lr, config.drop, config.lambda_mv, config.alpha) == (0.01, 40, 100, 100)
    assert (config.depth, config.teacher_depth) == (18, 34)  # Fig. 2


@pytest.mark.parametrize("follow", ALPHA)
@pytest.mark.parametrize("method", DISTILLATION)
def test_a_method_has_in_training_the_weight_that_its_loss_has_by_itself(method, follow):
    assert Config(method=method, follow=follow).weight == ALPHA[follow][method]


def test_rows_set_what_their_names_say():
    for table, row, _ in RUN:
        config = replace(Config(), **row.changes)
        if table.name == "table1":
            expected = replace(Config(), **({} if "Lasp" in row.name else {"method": "none"}))
            assert config == replace(expected, **({} if "Lmv" in row.name else {"lambda_mv": 0.0})), row.name
            continue
        name, _, depth = row.name.replace("Res34", "Baseline-34").partition("-")
        if name == "DVFT":  # the teacher itself
            name, depth = "DVfine-tune", "34"
        views = 2 if name.startswith("DV") else 1
        method = {"Baseline": "none", "DVASP": "ASP"}.get(name) or name.removeprefix("DV").removeprefix("+")
        assert (config.views, config.method) == (views, method), row.name
        assert config == replace(Config(), views=views, method=method, depth=int(depth or 18)), row.name


def on_cpu(x: torch.Tensor) -> torch.Tensor:
    return torch.rand(x.shape, device="cpu")


@cache
def taught_by(**built):
    """The weights of a teacher that is built so, without numbers, and random answers in the shapes of its own."""
    with torch.device("meta"):
        teacher = Teacher(**built)
        answers = teacher(torch.empty(2, 3, built["size"], built["size"]))
    return teacher.trunks.state_dict(), tree_map_only(torch.Tensor, on_cpu, answers)


@pytest.mark.parametrize(("config", "task"), distinct(Config()), ids=distinct(Config()).values())
def test_at_paper_scale_every_student_fits_its_teacher(config, task):
    with torch.device("meta"):
        N = len(TASKS[task].aus)
        student, x, taught = network(config, N)(), torch.empty(2, 3, config.size, config.size), None
        if PAPER.pretraining(config, TASKS[task]):
            weights, taught = taught_by(**build_teacher(config).keywords)
        if config.method == "fine-tune":
            student.trunks.load_state_dict(weights)
            taught = None
        output = tree_map_only(torch.Tensor, on_cpu, student(x))
    options = {"lambda_mv": config.lambda_mv, "method": config.method}
    loss = sum(student_loss(output, torch.zeros(2, N), taught, **options).values())
    assert loss.isfinite() and [A.shape[-1] for A in output.features[0]] == [112, 56, 28, 14, 7]


def test_missing_imagenet_weights_say_what_to_do():
    with pytest.raises(UserError, match="weights/resnet18-f37072fd.pth is not there(.|\n)*--set start=random"):
        start(network(Config(), 4)(), Config(), Path("weights"))
    assert "resnet18-f37072fd.pth, resnet34-b627a593.pth" in PAPER.remarks(Config())[0]
    assert PAPER.remarks(BASE)[0].startswith("weights: random, not ImageNet's")


def test_a_folder_with_imagenets_weights_is_used(tmp_path):
    torch.manual_seed(0)
    student = network(Config(), 4)()
    state = network(replace(Config(), views=1), 4)().trunks[0].state_dict()
    torch.save({**state, "fc.weight": torch.zeros(1000, 512)}, os.path.join(tmp_path, "resnet18-f37072fd.pth"))
    start(student, Config(), tmp_path)
    assert torch.equal(student.trunks[1].layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(size=48, resize=36), "size=48: expected at most resize=36"),
        (dict(depth=20), "depth=20: expected 18, 34"),
        (dict(method="fine-tune", depth=18), "depth=18: expected teacher_depth=34 with method=fine-tune"),
        (dict(unlabelled_each=0), "unlabelled_each=0: expected at least 1, or cr_on=all"),
        (dict(batch=1), "batch=1: expected at least 2"),
        (dict(momentum=2.0), "momentum=2.0: expected at least 0 and less than 1"),
        (dict(ratio=float("inf")), "ratio=inf: expected a finite number"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        Config(**changes)
