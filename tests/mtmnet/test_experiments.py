"""Every row of every table runs, on a few random images; the rows differ where the paper says so."""

import dataclasses
import io
import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mtmnet.config import SMOKE, Config
from mtmnet.data import ImagePairs
from mtmnet.experiments import PAPER
from mtmnet.model import EIDNet, Encoder, MTMNet
from mtmnet.stages import Disentangling, Guidance, gradient_norms
from mtmnet.train import Left, network, reconstruct, start
from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.pixels.frames import Store, floats
from shared.report.printed import printed_numbers
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Needs, Pretraining
from shared.runs.weights import load_network, packed
from shared.tasks import TASKS

CPU = torch.device("cpu")
TINY = dict(size=32, width=4, frames=2, macro_frames=1, batch=6, pretrain_epochs=1, macro_epochs=1, epochs=1)


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
    shown = {label: word for word, label in task.classes_of(corpus).items()}
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
    """MacroNet's weights of (settings), trained when first asked for, and its images."""
    cache, clips = macro
    made = {}

    def of(config, task):
        needs = PAPER.pretraining(config, task)
        if needs is None:
            return None, None
        key, pairs = str(needs), PAPER.pretraining_data({"CK+": clips}, Needs(needs), cache)
        if key not in made:
            torch.manual_seed(0)
            pretraining = Pretraining("macro", Needs(needs), task, pairs, needs, 0, Alone(CPU), cache / "none")
            made[key] = PAPER.pretrain(pretraining)
            assert len(pretraining.history) == 1
        return {name: value.clone() for name, value in made[key].items()}, pairs

    return of


def training_of(config, task, pretrained) -> FoldTraining:
    samples = micro_clips(task)
    pixels = np.random.default_rng(1).integers(0, 256, (len(samples) * 3, 32, 32, 3), np.uint8)
    data = Store(tuple(samples["sample"]), pixels, 3 * np.arange(len(samples) + 1))
    (weights, pairs), fold = pretrained, task.folds(samples)[0]
    return FoldTraining("fold", config, task, fold, data, samples, 3, CPU, weights, pretraining_data=lambda: pairs)


def scores_of(training: FoldTraining) -> torch.Tensor:
    """Of the test samples at the last epoch."""
    (last,) = training.predictions["scores"].values()
    return torch.tensor(last[""])


def pairs_of(frames: torch.Tensor, y: torch.Tensor) -> ImagePairs:
    return ImagePairs(frames, frames, y, torch.zeros_like(y))


@pytest.mark.parametrize(("name", "config"), experiments())
def test_a_row_runs(name, config, macronets):
    task = TASKS[name]
    training = training_of(config, task, macronets(config, task))
    PAPER.train(training)
    scores = scores_of(training)
    assert scores.shape == (len(training.fold.test), len(task.classes)) and np.allclose(scores.sum(dim=1), 1, atol=1e-3)
    guided = config.macro != "none"
    (norms,) = training.figures.gradients or [{}]
    assert set(norms) == ({"L_cls", "L_tri", "L_adv", "L_LIR"} if guided else set())
    for term, weight in (("L_tri", "lambda_tri"), ("L_adv", "lambda_adv")):
        assert (norms.get(term, 0) > 0) == (getattr(config, weight) > 0)
    assert not guided or norms["L_cls"] > 0
    assert set(training.history[0]) == {
        "epoch",
        "test",
        "loss",
        "L_cls",
        *(("L_tri", "L_adv", "L_LIR") if guided else ()),
    }
    for term, weight in (("L_tri", "lambda_tri"), ("L_adv", "lambda_adv")):
        assert (training.history[0].get(term, 0) > 0) == (getattr(config, weight) > 0)
    if guided and not config.lambda_lir:  # where it counts, it may be 0: MicroNet may be the better of the two
        assert norms["L_LIR"] == training.history[0]["L_LIR"] == 0
    reconstructed = {"reconstruction-test.png", "reconstruction-train.png"} if config.pretrain == "eid" else set()
    assert set(training.files) == reconstructed and bool(training.figures.shown) == bool(reconstructed)
    assert "iVBOR" not in json.dumps(dataclasses.asdict(training.figures))  # as a PNG begins in base 64


@pytest.mark.parametrize("counted", ["tri", "adv", "lir"])
def test_each_term_of_the_guidance_has_its_own_weight(counted, macronets):
    """L_LIR too, which is above 0 sample by sample where one anchor does worse than its positive."""
    weights = {f"lambda_{term}": float(term == counted) for term in ("tri", "adv", "lir")}
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY, **weights, per="sample", pretrain="none")
    training = training_of(config, task, macronets(config, task))
    PAPER.train(training)
    (norms,) = training.figures.gradients
    for terms in norms, training.history[0]:
        assert {term for term in ("tri", "adv", "lir") if terms[{"lir": "L_LIR"}.get(term, f"L_{term}")]} == {counted}


def grey(values: list[int]) -> torch.Tensor:
    """An even image of each value."""
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 32, 32, 3)


@pytest.mark.parametrize("row", ["L_cls", "L_EID", "L_MTM"])
def test_each_network_is_shown_the_images_that_are_meant_for_it(row, monkeypatch, tmp_path):
    """Neutral faces are 40 and 20 here, micro- and macro-expressions of class k 120 + 10 k and 200 + 10 k."""
    seen, forward = [], Encoder.forward

    def watched(E, x):
        frozen, values = not next(E.parameters()).requires_grad, (255 * x[:, 0, 16, 16]).round().int().tolist()
        seen.append(("macro" if frozen else "micro" if E.training else "test", values))
        return forward(E, x)

    monkeypatch.setattr(Encoder, "forward", watched)
    task, unguided = TASKS["smic-3"], dict(lambda_tri=0.0, lambda_adv=0.0, lambda_lir=0.0)
    changes = {"L_cls": dict(pretrain="classification", **unguided), "L_EID": unguided, "L_MTM": {}}[row]
    config = replace(Config(**SMOKE), **TINY, **dict(shift=0, magnify=1.0) | changes)
    weights = pairs = None
    if row == "L_MTM":
        y = torch.arange(6) % 3
        pairs = ImagePairs.of(torch.stack([grey([20] * 6), grey((200 + 10 * y).tolist())], 1), y, list("aabbcc"))
        needs = Needs(PAPER.pretraining(config, task))
        weights = PAPER.pretrain(Pretraining("macro", needs, task, pairs, {}, 0, Alone(CPU), tmp_path))
        assert [(who, values[:6], sorted(values[6:])) for who, values in seen] == [
            ("micro", [20] * 6, [200, 200, 210, 210, 220, 220])
        ]
        seen.clear()
    training = training_of(config, task, (weights, pairs))
    values = [value for k in training.targets.tolist() for value in (40, 120 + 10 * k, 120 + 10 * k)]
    data = Store(training.data.ids, grey(values).numpy(), 3 * np.arange(len(values) // 3 + 1))
    PAPER.train(replace(training, data=data))
    steps, positives, tested = ([v for who, v in seen if who == kind] for kind in ("micro", "macro", "test"))
    assert len(steps) == 4  # an epoch of each stage: two frames of six clips, six at a time
    shown = [step[6:] if row != "L_cls" and i < 2 else step[:6] for i, step in enumerate(steps)]
    for stage in shown[:2], shown[2:]:
        assert sorted(stage[0] + stage[1]) == [120] * 4 + [130] * 4 + [140] * 4
    assert all(step[:6] == [40] * 6 for step in steps[:2]) == (row != "L_cls")
    assert all(len(step) == 12 for step in steps[2:]) == (row == "L_MTM") == (len(positives) == 2)
    for step, peaks in zip(steps[2:], positives, strict=row == "L_MTM"):
        anchors, negatives = ([(value - 120) // 10 for value in part] for part in (step[:6], step[6:]))
        assert peaks == [200 + 10 * k for k in anchors]
        assert set(negatives) <= {0, 1, 2} and all(k != n for k, n in zip(anchors, negatives, strict=True))
    assert tested[-1] == [120, 120, 130, 130, 140, 140]


def test_D_takes_macro_expressions_for_MacroNets():
    """Eq. (8), while MicroNet hardly moves; L_adv, Eq. (9), is then high, since D tells its anchors apart."""
    torch.manual_seed(0)
    config = replace(Config(**SMOKE), **TINY, **dict(lr_E=1e-9, lr_D_e=1e-9, lr_D=1e-2, lambda_adv=1.0))
    y = torch.arange(6) % 3
    micro, macro = (torch.randint(low, low + 128, (6, 32, 32, 3)).byte() for low in (0, 128))
    pairs, guide = pairs_of(micro, y), pairs_of(macro, y)
    guidance = Guidance(EIDNet(3, 1, width=4), pairs, config, (EIDNet(3, 1, width=4), guide))
    for _ in range(20):
        terms = guidance.step(torch.arange(6))
    out = guidance.guided(floats(micro), floats(macro), floats(micro))
    real, fake = guidance.guided.D(out.f_pos, out.f_anc)
    assert real.min() > 0 > fake.max()
    assert terms["L_adv"] > math.log(2)  # of an even chance


def test_decibels_are_of_reconstructions_then_of_neutral_faces():
    """Of images that are off by .1 everywhere, 20 dB, and by .2."""
    off_by_a_tenth = torch.nn.Module()
    off_by_a_tenth.forward = lambda x_N, x_E: SimpleNamespace(x_E=x_E, reconstruction=x_E - 0.1)
    reconstructed, neutral, _ = reconstruct(off_by_a_tenth, torch.stack([grey([102]), grey([153])], 1), 0)
    assert reconstructed == pytest.approx(20, abs=1e-3) and neutral == pytest.approx(-20 * math.log10(0.2), abs=1e-3)


def test_settings_are_those_of_section_4_1():
    config = PAPER.config()
    assert (config.size, config.frames, config.epochs, config.full_rate) == (224, 5, 20, 1)
    assert config.lambda_rec == config.lambda_sim == config.lambda_s == 0.1
    assert config.lambda_tri == config.lambda_adv == config.lambda_lir == 0.001
    assert config.lr_E == config.lr_D == config.lr_D_e == config.pretrain_lr_D_r == 0.00001
    assert config.pretrain_lr_E == config.pretrain_lr_classifiers == 0.0001


def test_rows_and_columns_set_what_their_names_say():
    terms = {"L_tri": "lambda_tri", "L_adv": "lambda_adv", "L_LIR": "lambda_lir"}
    tasks = {"CASME2": "casme2-5-2019", "SMIC": "smic-3", "SAMM": "samm-7"}
    metrics = {"Acc": "accuracy", "F1": "uf1", "UF1": "uf1", "UAR": "uar"}
    best = {"CASME2": "Oulu", "SMIC": "MMI", "SAMM": "CK+"}  # in Table 2
    for table in PAPER.tables:
        for row, column in table.cells():
            first, *second, metric = re.split(r"[() ]+", column.name)
            ablation, separate = table.name in ("table2", "table3"), table.name in ("table2", "table4")
            macro = {"table2": second, "table3": [first], "table4": [best.get(first)], "table5": ["MMI"]}[table.name][0]
            named = set(re.findall("L_tri|L_adv|L_LIR", row.name)) if ablation else set(terms)
            named |= set(terms) if "L_MTM" in row.name else set()
            control = "guided batch" in row.name
            config = tiny(row, column)
            assert {term for term, weight in terms.items() if getattr(config, weight)} == named, row.name
            assert (config.pretrain == "eid") == ("L_EID" in row.name or not ablation), row.name
            assert config.guided_batch == control, row.name
            assert config.macro == ({"Oulu": "Oulu-CASIA"}.get(macro, macro) if named or control else "none"), column
            assert (column.task, column.metric) == (tasks[first] if separate else "cde-3", metrics[metric]), column


def test_faces_lie_in_files_of_their_own(macronets):
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY)
    weights, *rest = macronets(config, task)
    assert set(weights) == set(EIDNet(3, 3, width=4).state_dict())
    training = training_of(config, task, (weights, *rest))
    PAPER.train(training)
    for part, people in (("test", 1), ("train", 2)):
        sample = training.figures.shown[part]
        assert (
            sample in getattr(training.fold, part)
            and len({s.split("/")[1] for s in getattr(training.fold, part)}) == people
        )
        shown = np.asarray(Image.open(io.BytesIO(training.files[f"reconstruction-{part}.png"])))
        x_N, _, x_E = training.data.clip(training.data.ids.index(sample)).astype(int)
        assert shown.shape == (32, 3 * 32, 3) and (shown[:, :32] == x_N).all()
        assert (shown[:, 32:64] == (x_N + 5 * (x_E - x_N)).clip(0, 255)).all()


@pytest.mark.parametrize("magnify", [1.0, 5.0])
def test_a_network_that_is_kept_knows_what_it_was_shown(magnify, macronets, tmp_path):
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY, magnify=magnify)
    training = training_of(config, task, macronets(config, task))
    PAPER.train(training)
    (path := tmp_path / "fold.safetensors").write_bytes(packed(training.learned, training.made))
    net, _ = load_network(path, "mtmnet")
    x_N, *x_E = floats(torch.tensor(training.data.stacked())[training.indices("test")]).unbind(1)
    with torch.no_grad():
        scores = sum(net.classify(x, x_N).softmax(dim=1) for x in x_E) / len(x_E)
    torch.testing.assert_close(scores, scores_of(training), rtol=0, atol=1e-5)


def test_gradient_norms_of_terms_that_are_known():
    w, v = torch.ones(4, dtype=torch.double, requires_grad=True), torch.full((2,), 3.0).double().requires_grad_()
    norms = gradient_norms({"a": 2 * w.sum() + 0 * v.sum(), "b": v.square().sum() + 3 * w[0]}, [w, v])
    assert {name: norm.item() for name, norm in norms.items()} == pytest.approx(
        {"a": 4.0, "b": 9.0}
    )  # (2, 2, 2, 2); (3, 0, 0, 0) and (6, 6)


def test_rows_see_the_same_shifts_and_company():
    """Whatever their terms; without guidance the same anchors. Nothing depends on torch's own generator."""
    y = torch.arange(12) % 3
    pixels = torch.randint(256, (12, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen = []
    for guided, changes in ((True, {}), (True, {"lambda_tri": 0.0}), (True, {"normalise": True}), (False, {})):
        torch.manual_seed(len(seen))
        config = replace(Config(**SMOKE), **TINY, **changes)
        micro, macro = network(config, 3, 1, config.magnify)(), network(config, 3, 1)()
        guide = (macro, pairs_of(pixels.flip(0), y.flip(0))) if guided else None
        game = Guidance(micro, pairs_of(pixels, y), config, guide, torch.Generator().manual_seed(1))
        seen.append([])
        for net in micro, macro:
            net.E.register_forward_pre_hook(lambda _, x, to=seen[-1]: to.append(x[0]))
        for _ in range(5):
            game.step(torch.arange(6))
    *guided, alone = seen
    for images_ in guided:
        assert len(images_) == 10 and all(torch.equal(*pair) for pair in zip(images_, guided[0], strict=True))
    assert all(torch.equal(both[:6], anchors) for both, anchors in zip(guided[0][::2], alone, strict=True))


@pytest.mark.parametrize("changes", [{"reversal": True}, {"steps_D_s": 3}, {"pretrain": "classification"}])
def test_settings_beyond_the_tables_run(changes, macronets):
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY, **changes)
    training = training_of(config, task, macronets(config, task))
    PAPER.train(training)
    assert training.predictions and len(training.figures.first_stage) == 1


def test_a_fold_is_the_same_when_run_again(macronets):
    task, config = TASKS["casme2-5-2019"], replace(Config(**SMOKE), **TINY)
    trainings = [training_of(config, task, macronets(config, task)) for _ in range(2)]
    for training in trainings:
        torch.manual_seed(training.seed)
        PAPER.train(training)
    assert trainings[0].predictions == trainings[1].predictions and trainings[0].history == trainings[1].history


def test_anchors_of_a_class_missing_in_macro_go_unguided(macronets):
    task, config = TASKS["casme2-5-2019"], replace(Config(**SMOKE), **TINY)
    _, macro = macronets(config, task)
    assert {task.classes[y] for y in macro.y.unique()} == {"happiness", "surprise", "disgust"}
    y = torch.arange(10) % 5
    blank = torch.zeros(10, 32, 32, 3, dtype=torch.uint8)
    guidance = Guidance(EIDNet(5, 2, width=4), pairs_of(blank, y), config, (EIDNet(5, 2, width=4), macro))
    chosen = set()
    for _ in range(50):
        pos, neg, guided = guidance.company(y, torch.rand(2, 10))
        assert guided.tolist() == [task.classes[k] in ("happiness", "surprise", "disgust") for k in y]
        assert (macro.y[pos] == y[guided]).all() and (y[neg] != y[guided]).all()
        chosen |= set(pos.tolist())
    assert chosen == set(range(len(macro)))


def test_the_rates_of_the_guidance_fall_together(macronets, monkeypatch):
    """E, D_e and D keep their rates for two of three epochs at smoke scale, then take a tenth; see test_schedules."""
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY | {"epochs": 3, "lr_D": 2e-3, "lr_D_e": 3e-3})
    rates, step = [], Guidance.step

    def noted(guidance, rows):
        rates.append([g["lr"] for adam in (guidance.adam, guidance.adam_D) for g in adam.param_groups])
        return step(guidance, rows)

    monkeypatch.setattr(Guidance, "step", noted)
    PAPER.train(training_of(config, task, macronets(config, task)))
    third = len(rates) // 3
    assert rates[: 2 * third] == [[1e-3, 3e-3, 2e-3]] * 2 * third
    np.testing.assert_allclose(rates[2 * third :], [[1e-4, 3e-4, 2e-4]] * third)


def test_the_second_stage_shifts_its_images():
    config = replace(Config(**SMOKE), **TINY)
    ramp = torch.arange(32, dtype=torch.uint8).view(1, 1, 32, 1).expand(6, 32, 32, 3)  # its shift shows in its values
    y, seen = torch.arange(6) % 3, []
    macro = EIDNet(5, 3, width=4), pairs_of(ramp, y)
    guidance = Guidance(EIDNet(5, 3, width=4), pairs_of(ramp, y), config, macro)
    guidance.guided.register_forward_pre_hook(lambda _, images: seen.append([255 * x[0, 0, 0, 16] for x in images[:3]]))
    torch.manual_seed(0)
    for _ in range(60):
        guidance.step(torch.arange(6))
    for places in zip(*seen, strict=True):  # of anchors, positives, negatives
        assert {round(float(place)) for place in places} == set(range(13, 20))


def test_each_part_has_its_own_rate():
    """In the first stage E, D_e and D_r, and D_s; in the second E and D_e."""
    rates = dict(pretrain_lr_E=1.0, pretrain_lr_classifiers=2.0, pretrain_lr_D_r=3.0, lr_E=4.0, lr_D_e=5.0)
    config = replace(Config(**SMOKE), **TINY, **rates, pretrain="eid")
    net = EIDNet(5, 3, width=4)
    game = Disentangling(net, config, Alone(torch.device("cpu")))
    pixels = torch.zeros(6, 32, 32, 3, dtype=torch.uint8)
    second = Guidance(net, ImagePairs(pixels, pixels, torch.zeros(6).long(), torch.zeros(6).long()), config, None)
    of = {id(p): name.partition(".")[0] for name, p in net.named_parameters()}
    for adams, expected in (
        ([game.adam, game.adam_s], {("E", 1.0), ("D_e", 2.0), ("D_s", 2.0), ("D_r", 3.0)}),
        ([second.adam], {("E", 4.0), ("D_e", 5.0)}),
    ):
        groups = [group for adam in adams for group in adam.param_groups]
        assert {(of[id(p)], group["lr"]) for group in groups for p in group["params"]} == expected


@pytest.mark.parametrize("guided", [True, False])
def test_the_neutral_face_is_shifted_as_the_expression_is(guided):
    """Of pairs that do not differ both images stay the same: a shift of one alone would look like an expression."""
    config = replace(Config(**SMOKE), **TINY)
    pixels = torch.randint(0, 256, (6, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    y, seen = torch.arange(6) % 3, []
    same = ImagePairs(pixels, pixels, y, y)
    micro = EIDNet(5, 3, width=4)
    guidance = Guidance(micro, same, config, (EIDNet(5, 3, width=4), same) if guided else None)
    if guided:
        guidance.guided.register_forward_pre_hook(
            lambda _, given, named: seen.append((given[0], named["x_N"][0], given[2], named["x_N"][1])),
            with_kwargs=True,
        )
    else:
        classify, micro.classify = micro.classify, lambda E, N: seen.append((E, N)) or classify(E, N)
    for _ in range(3):
        guidance.step(torch.arange(6))
    assert len(seen) == 3 and all(
        torch.equal(E, N) for step in seen for E, N in zip(step[::2], step[1::2], strict=True)
    )


def test_the_row_without_guidance_is_one_experiment_in_all_columns():
    table = PAPER.table("table2")
    configs = {tiny(table.rows[0], column) for column in table.columns}
    assert len(configs) == 1 and PAPER.pretraining(configs.pop(), TASKS["casme2-5-2019"]) is None
    assert len({tiny(table.rows[-1], column) for column in table.columns}) == 3


def test_a_macronet_is_shared_by_rows_and_by_tasks_of_the_same_classes():
    base = Config()
    assert len({str(PAPER.pretraining(base, TASKS[name])) for name in ("smic-3", "cde-3")}) == 1
    assert len({str(PAPER.pretraining(base, TASKS[name])) for name in ("smic-3", "samm-7", "casme2-5-2019")}) == 3
    table = PAPER.table("table3")
    rows = [PAPER.pretraining(tiny(row, table.columns[0]), TASKS["cde-3"]) for row in table.rows]
    assert len({str(needs) for needs in rows}) == 3  # none, by classification, by L_EID


def test_a_macronet_depends_on_every_setting_but_those_of_micronet():
    names = [f.name for f in dataclasses.fields(Config)]
    own = {"people", "frames", "magnify", "pretrain_epochs", *names[names.index("epochs") :]}
    needs = PAPER.pretraining(Config(), TASKS["cde-3"])
    assert set(names) - own == set(needs) - {"corpora", "labels"} | {"macro"}
    alone = [
        PAPER.pretraining(Config(pretrain=how, lambda_rec=rec), TASKS["cde-3"])
        for how, rec in (("classification", 0.1), ("none", 0.2))
    ]
    assert alone[0] == alone[1] and alone[0]["pretrain"] == "classification"  # nothing of the game of Eq. (5)


def test_every_printed_cell_of_the_authors_has_a_row_and_a_column():
    for table in PAPER.tables:
        cells = {(row.name, column.name) for row, column in table.cells()}
        run = {key for key, (_, source) in printed_numbers(PAPER.folder, table.name).items() if source == "run"}
        assert run == {(row, column) for row, column in cells if "(ours)" not in row}


def test_the_controls_pass_the_guided_batch_and_learn_by_l_cls_alone():
    for name in "table2", "table3":
        table = PAPER.table(name)
        controls = {row.name: tiny(row, table.columns[0]) for row in table.rows if "(ours)" in row.name}
        assert [config.pretrain for config in controls.values()] == ["none", "eid"]
        for config in controls.values():
            assert config.lambda_tri == config.lambda_adv == config.lambda_lir == 0 and config.macro == "CK+"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 100}, "size=100: expected a multiple of 32"),
        ({"size": 0}, "size=0: expected at least 32"),
        ({"batch": 1}, "batch=1: expected at least 2"),
        ({"frames": 0}, "frames=0: expected at least 1"),
        ({"shift": -1}, "shift=-1: expected at least 0"),
        ({"shift": 224}, "shift=224: expected less than size=224"),
        ({"magnify": 0.0}, "magnify=0.0: expected more than 0"),
        ({"lr_E": -1.0}, "lr_E=-1.0: expected more than 0"),
        ({"lr_E": math.nan, "epochs": -3}, "lr_E=nan: expected a finite number"),
        ({"lr_E": math.nan, "epochs": -3}, "epochs=-3: expected at least 1"),
        ({"macro": "DFEW"}, "macro=DFEW: expected CK\\+, MMI, Oulu-CASIA, none"),
    ],
)
def test_settings_that_cannot_run_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Config(**changes)


def test_the_networks_of_the_paper_are_built():
    with torch.device("meta"):
        micro, macro = (network(Config(), 5, people)() for people in (25, 118))
        out = MTMNet(micro, macro).MicroNet(*torch.empty(2, 4, 3, 224, 224))
    assert out.f_E_e.shape == out.f_N_s.shape == (4, 256, 7, 7) and out.expression.shape == (4, 5)
    assert out.reconstruction.shape == (4, 3, 224, 224)
    backbone = sum(p.numel() for p in micro.E.backbone.parameters())
    assert backbone == 11_689_512 - 513_000  # torchvision's resnet18 without its classifier


def test_without_imagenet_weights_the_remedy_is_named(tmp_path):
    with pytest.raises(UserError, match=r"resnet18-f37072fd.pth is not there(.|\n)*--weights.*start=random"):
        start(network(Config(), 5, 8)(), Config(), tmp_path)
    assert "resnet18-f37072fd.pth" in PAPER.remarks(Config(), (), ())[0]
    assert PAPER.remarks(Config(start="random"), (), ())[0].startswith("weights: random, not ImageNet's")


def test_what_the_paper_does_not_do_is_reported():
    _, magnified, moved = PAPER.remarks(Config(magnify=5.0, shift=3), (), ())
    assert "x_N + 5 (x_E − x_N)" in magnified and "up to 3 pixels" in moved
    epochs = [dict(L_cls=3.0, L_tri=1.0, L_adv=0.0, L_LIR=0.0), dict(L_cls=1.0, L_tri=1.0, L_adv=1.0, L_LIR=1.0)]
    left = [dataclasses.asdict(Left([], {}, {}, {}, gradients)) for gradients in (epochs, [])]
    records = [{"task": "smic-3", "config": {"macro": "MMI"}, "figures": figures} for figures in left]
    *_, shares = PAPER.remarks(Config(), (), records)
    assert shares.endswith("smic-3 with MMI: L_cls 0.5, L_tri 0.25, L_adv 0.12, L_LIR 0.12")
    alone = dataclasses.asdict(Left([], {}, {}, {}, [dict(L_cls=3.0, L_tri=0.0, L_adv=0.0, L_LIR=0.0)]))
    assert not PAPER.remarks(Config(magnify=1.0, shift=0), (), [records[0] | {"figures": alone}])[1:]


@pytest.mark.parametrize("steps", [2, 4])
def test_a_macronet_resumes_where_it_was_stopped(macro, monkeypatch, tmp_path, steps):
    cache, clips = macro
    task, config = TASKS["smic-3"], replace(Config(**SMOKE), **TINY | {"macro_epochs": 2})
    whole_batch = Disentangling.step

    def train(folder):
        torch.manual_seed(0)
        folder.mkdir(exist_ok=True)
        needs = Needs(PAPER.pretraining(config, task))
        pairs = PAPER.pretraining_data({"CK+": clips}, needs, cache)
        pretraining = Pretraining("macro", needs, task, pairs, {}, 0, Alone(CPU), folder, checkpoint_seconds=0.0)
        return PAPER.pretrain(pretraining)

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
