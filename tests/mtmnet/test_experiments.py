"""Every row of every table runs, on a few random images; the rows differ where the paper says so."""

import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mtmnet.data import Pairs
from mtmnet.experiments import PAPER, SMOKE, Config
from mtmnet.model import EIDNet, MTMNet
from mtmnet.train import Disentangling, Guidance, network, start
from shared.corpora.table import Frames
from shared.errors import UserError
from shared.frames import Store
from shared.job import Job, Pretraining
from shared.parallel import Alone
from shared.report import printed
from shared.tasks import TASKS

CPU = torch.device("cpu")
TINY = dict(image=32, width=4, frames=2, macro_frames=1, batch=6, pretrain_epochs=1, macro_epochs=1, epochs=1)


def clips_of(corpus: str, emotions, folder=None, people: int = 3) -> pd.DataFrame:
    """A clip of 3 images an emotion and a person; on disk where a folder is given."""
    rng, rows = np.random.default_rng(0), []
    for person in range(people):
        for emotion in emotions:
            name = f"{corpus}/s{person}/{emotion}"
            held = Frames(str(folder and folder / name), ("1.png", "2.png", "3.png"), (1, 2, 3))
            if folder:
                (folder / name).mkdir(parents=True)
                for number in held.numbers:
                    Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(held.path(number))
            rows.append((name, corpus, f"{corpus}/s{person}", emotion, (), "", 1, 3, 3, 30.0, held))
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    return pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})


def micro_clips(task) -> pd.DataFrame:
    corpus = task.corpora[-1]
    words = task.labels.get(corpus, task.labels.get("*"))
    shown = {label: word for word, label in words.items()}
    return task.select(clips_of(corpus, [shown[label] for label in task.classes]))


@pytest.fixture(scope="module")
def macro(tmp_path_factory):
    """The cache, and macro-expressions on disk."""
    folder = tmp_path_factory.mktemp("macro")
    emotions = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    return folder / "cache", clips_of("CK+", emotions, folder)


def tiny(row, column) -> Config:
    base = replace(Config(**SMOKE), **TINY)
    return replace(base, **{**row.changes, **column.changes})


def experiments():
    """The experiments of all tables; which macro corpus it is makes no difference to the code."""
    found = {}
    for table in PAPER.tables:
        for row, column in table.cells():
            config = tiny(row, column)
            found.setdefault((column.task, replace(config, macro="CK+")), f"{column.task}: {row.name}")
    return [pytest.param(*key, id=name) for key, name in found.items()]


@pytest.fixture(scope="module")
def macronets(macro):
    """MacroNet of (settings), trained when first asked for."""
    cache, clips = macro
    made = {}

    def of(config, task):
        needs = PAPER.pretraining(config, task)
        if needs is None:
            return None
        key = str(needs)
        if key not in made:
            torch.manual_seed(0)
            job = Pretraining("macro", config, task, {"CK+": clips}, needs, 0, Alone(CPU), cache / "none", cache)
            made[key] = PAPER.pretrain(job)
            assert len(job.history) == 1
        return {name: value.clone() for name, value in made[key].items()}

    return of


def job_of(config, task, macronet) -> Job:
    samples = micro_clips(task)
    pixels = np.random.default_rng(1).integers(0, 256, (len(samples) * 3, 32, 32, 3), np.uint8)
    data = Store(tuple(samples["sample"]), pixels, 3 * np.arange(len(samples) + 1))
    return Job("fold", config, task, task.folds(samples)[0], data, samples, 3, CPU, macronet)


@pytest.mark.parametrize(("name", "config"), experiments())
def test_a_row_runs(name, config, macronets):
    task = TASKS[name]
    job = job_of(config, task, macronets(config, task))
    PAPER.train(job)
    scores = np.array(job.predictions["scores"][str(job.scored_epoch)][""])
    assert scores.shape == (len(job.fold.test), len(task.classes)) and np.allclose(scores.sum(axis=1), 1, atol=1e-3)
    guided = config.macro != "none"
    assert set(job.history[0]) == {"epoch", "test", "loss", "L_cls", *(("L_tri", "L_adv", "L_LIR") if guided else ())}
    for term, weight in (("L_tri", "lambda_tri"), ("L_adv", "lambda_adv")):
        assert (job.history[0].get(term, 0) > 0) == (getattr(config, weight) > 0)
    assert ("reconstructions" in job.figures) == (config.pretrain == "eid")


@pytest.mark.parametrize("changes", [{"reversal": True}, {"steps_D_s": 3}, {"pretrain": "classification"}])
def test_settings_beyond_the_tables_run(changes, macronets):
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY, **changes)
    job = job_of(config, task, macronets(config, task))
    PAPER.train(job)
    assert job.history and len(job.figures["first stage"]) == 1


def test_a_fold_is_the_same_when_run_again(macronets):
    task, config = TASKS["casme2-5"], replace(Config(**SMOKE), **TINY)
    jobs = [job_of(config, task, macronets(config, task)) for _ in range(2)]
    for job in jobs:
        torch.manual_seed(job.seed)
        PAPER.train(job)
    assert jobs[0].predictions == jobs[1].predictions and jobs[0].history == jobs[1].history


def test_anchors_of_a_class_that_macro_lacks_go_unguided(macronets):
    task, config = TASKS["casme2-5"], replace(Config(**SMOKE), **TINY)
    macro = macronets(config, task)
    assert {task.classes[y] for y in macro["y"].unique()} == {"happiness", "surprise", "disgust"}
    y = torch.arange(10) % 5
    # Every image is filled with its class, the macro images with 10 more.
    fill = torch.ones(1, 32, 32, 3, dtype=torch.uint8)
    pairs = Pairs(y.view(-1, 1, 1, 1) * fill, y.view(-1, 1, 1, 1) * fill, y, y // 5)
    macro["x_pos"] = (macro["y"].view(-1, 1, 1, 1) + 10).to(torch.uint8) * fill
    net = EIDNet(5, 2, width=4)
    for _ in range(5):
        x_pos, x_neg, guided = Guidance(net, pairs, config, macro).company(y)
        assert guided.tolist() == [task.classes[k] in ("happiness", "surprise", "disgust") for k in y]
        assert ((255 * x_pos[:, 0, 0, 0]).round() == y[guided] + 10).all()
        assert ((255 * x_neg[:, 0, 0, 0]).round() != y[guided]).all()


def test_the_second_stage_shifts_its_images(macronets):
    task, config = TASKS["casme2-5"], replace(Config(**SMOKE), **TINY)
    ramp = torch.arange(32, dtype=torch.uint8).view(1, 1, 32, 1).expand(6, 32, 32, 3)  # its shift shows in its values
    y, seen = torch.arange(6) % 3, []
    macro = macronets(config, task)
    guidance = Guidance(EIDNet(5, 3, width=4), Pairs(ramp, ramp, y, y), config, {**macro, "x_pos": ramp, "y": y})
    guidance.net.register_forward_pre_hook(lambda _, images: seen.append([255 * x[0, 0, 0, 16] for x in images[:3]]))
    torch.manual_seed(0)
    for _ in range(30):
        guidance.step(torch.arange(6))
    for places in zip(*seen, strict=True):  # of anchors, positives, negatives
        assert {round(float(place)) for place in places} == set(range(13, 20))


def test_the_row_without_guidance_is_one_experiment_in_all_columns():
    table = PAPER.table("table2")
    configs = {tiny(table.rows[0], column) for column in table.columns}
    assert len(configs) == 1 and PAPER.pretraining(configs.pop(), TASKS["casme2-5"]) is None
    assert len({tiny(table.rows[-1], column) for column in table.columns}) == 3


def test_a_macronet_is_shared_by_rows_and_by_tasks_of_the_same_classes():
    base = Config()
    assert len({str(PAPER.pretraining(base, TASKS[name])) for name in ("smic-3", "cde-3")}) == 1
    assert len({str(PAPER.pretraining(base, TASKS[name])) for name in ("smic-3", "samm-7", "casme2-5")}) == 3
    table = PAPER.table("table3")
    rows = [PAPER.pretraining(tiny(row, table.columns[0]), TASKS["cde-3"]) for row in table.rows]
    assert len({str(needs) for needs in rows}) == 3  # none, by classification, by L_EID


def test_a_macronet_depends_on_every_setting_but_those_of_micronet():
    names = [f.name for f in dataclasses.fields(Config)]
    own = {"frames", "magnify", "pretrain_epochs", *names[names.index("epochs") :]} - {"precision", "compile"}
    needs = PAPER.pretraining(Config(), TASKS["cde-3"])
    assert set(names) - own == set(needs) - {"corpora", "labels", "eid"} | {"macro", "pretrain"}


def test_every_printed_cell_of_the_authors_has_a_row_and_a_column():
    for table in PAPER.tables:
        cells = {(row.name, column.name) for row, column in table.cells()}
        run = {key for key, (_, source) in printed(PAPER.folder, table.name).items() if source == "run"}
        assert run == cells


def test_the_networks_of_the_paper_are_built():
    with torch.device("meta"):
        micro, macro = (network(Config(), 5, people)() for people in (25, 118))
        out = MTMNet(micro, macro).MicroNet(*torch.empty(2, 4, 3, 224, 224))
    assert out.f_E_e.shape == out.f_N_s.shape == (4, 256, 7, 7) and out.expression.shape == (4, 5)
    assert out.reconstruction.shape == (4, 3, 224, 224)
    backbone = sum(p.numel() for p in micro.E.backbone.parameters())
    assert backbone == 11_689_512 - 513_000  # torchvision's resnet18 without its classifier


def test_without_imagenet_weights_the_remedy_is_said(tmp_path):
    with pytest.raises(UserError, match=r"resnet18-f37072fd.pth is not there(.|\n)*--weights.*imagenet=none"):
        start(network(Config(), 5, 8)(), Config(), tmp_path)
    assert "resnet18-f37072fd.pth" in PAPER.remarks(Config())[0]
    assert PAPER.remarks(Config(imagenet="none"))[0].startswith("weights: random, not ImageNet's")


def test_what_the_paper_does_not_do_is_said():
    _, magnified, moved = PAPER.remarks(Config(magnify=5.0, shift=3))
    assert "x_N + 5 (x_E − x_N)" in magnified and "up to 3 pixels" in moved


@pytest.mark.parametrize("steps", [2, 4])
def test_a_macronet_goes_on_where_it_was_stopped(macro, monkeypatch, tmp_path, steps):
    cache, clips = macro
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY | {"macro_epochs": 2})
    whole_batch = Disentangling.step

    def train(folder):
        torch.manual_seed(0)
        folder.mkdir(exist_ok=True)
        job = Pretraining(
            "macro", config, task, {"CK+": clips}, {}, 0, Alone(CPU), folder, cache, checkpoint_seconds=0.0
        )
        return PAPER.pretrain(job)

    def stop_after(game, *batch, left=[steps]):  # noqa: B006 (counts down over calls)
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return whole_batch(game, *batch)

    monkeypatch.setattr(Disentangling, "step", stop_after)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped")
    monkeypatch.undo()
    torch.testing.assert_close(train(tmp_path / "stopped"), train(tmp_path / "whole"), rtol=0, atol=0)
