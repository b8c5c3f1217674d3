"""Every distinct row runs, on a few random images; inputs and stages are what the paper says."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

import skd_tstsan.train
from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.pixels.flow import tvl1
from shared.pixels.temporal import tim
from shared.report.cells import pooled
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Needs, Pretraining
from shared.tasks import TASKS
from skd_tstsan import ECA, MotionMagnification, TemporalShift, data, skd_loss
from skd_tstsan.config import SMOKE, Config
from skd_tstsan.experiments import PAPER, PLAIN, TABLES
from skd_tstsan.train import CLASSIFIERS, LAST, network, of_all, pretrain, train

CPU = torch.device("cpu")
TINY = dict(resize=32, size=20, width=8, batch=8, pretrain_batch=7, iterations=2, pretrain_iterations=1)
BASE = replace(Config(**SMOKE), **TINY)
CELLS = {
    f"{table.name}/{row.name}@{column.name}": (replace(BASE, **row.changes, **column.changes), row, column)
    for table in TABLES
    for row, column in table.cells()
    if "method" not in row.changes  # STSTNet, CapsuleNet and MMNet: see baselines/
}
TASK = TASKS["casme2-5-apex"]


def clips_of(corpus: str, emotions, folder, frames: int, people: int = 2) -> pd.DataFrame:
    """A clip of random images that change a little an emotion and a person, the apex in the middle."""
    rng, rows = np.random.default_rng(0), []
    for person in range(people):
        for emotion in emotions:
            name, numbers = f"{corpus}/s{person}/{emotion}", tuple(range(1, frames + 1))
            held = Frames(str(folder / name), tuple(f"{n}.png" for n in numbers), numbers)
            (folder / name).mkdir(parents=True)
            first, last = rng.integers(0, 256, (2, 5, 5, 3))
            for number in numbers:
                image = Image.fromarray((first + 0.03 * number * (last - first)).astype(np.uint8))
                image.resize((40, 40)).save(held.path(number))
            rows.append((name, corpus, f"{corpus}/s{person}", emotion, (), "", 2, 4, frames - 1, 30.0, held))
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    return pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The cache, micro-expressions of CASME II's five classes, and CK+."""
    folder = tmp_path_factory.mktemp("clips")
    micro = TASK.select(clips_of("CASME2", TASK.classes, folder, frames=7))
    return folder / "cache", micro, clips_of("CK+", TASKS["ckplus-7"].classes, folder, frames=7)


def pretrained(config: Config, corpora):
    cache, _, macro = corpora
    torch.manual_seed(0)
    needs = Needs(PAPER.pretraining(config, TASK))
    clips = PAPER.pretraining_data({"CK+": macro}, needs, cache)
    pretraining = Pretraining("tiny", needs, TASK, clips, {}, 0, Alone(CPU), cache / "stage")
    return pretrain(pretraining), pretraining


def fold_of(config: Config, corpora, weights=None) -> FoldTraining:
    cache, micro, _ = corpora
    torch.manual_seed(0)
    return FoldTraining(
        "tiny", config, TASK, TASK.folds(micro)[0], data.load(micro, config, cache), micro, 0, CPU, weights
    )


@pytest.mark.parametrize("name", {config: name for name, (config, *_) in reversed(CELLS.items())}.values())
def test_every_row_trains(name, corpora):
    config, row, _ = CELLS[name]
    weights = None
    if PAPER.pretraining(config, TASK):
        weights, training = pretrained(config, corpora)
        assert len(training.history) == 1 and weights and not any(k.startswith(LAST) for k in weights)
    training = fold_of(config, corpora, weights)
    train(training)
    assert set(training.predictions["epochs"]) == {"last", "best_on_test"}
    classifiers = {"", "AC1", "AC2"} if config.skd else {""}
    for outputs in training.predictions["scores"].values():
        assert set(outputs) == classifiers == set(training.figures.features) and row.output in classifiers
        for scores in outputs.values():
            np.testing.assert_allclose(np.sum(scores, axis=1), np.ones(5), atol=1e-5)
    heat = np.array(training.figures.heat)
    assert len(heat) == 5 and heat.min() >= 0 and heat.max() <= 1


def test_scores_and_features_stand_under_the_name_of_their_classifier(corpora):
    """AC1 is that of the first block, AC2 of the second, and the deepest has no name (Fig. 1)."""
    training = fold_of(replace(BASE, iterations=1), corpora)
    train(training)
    (scores,) = training.predictions["scores"].values()
    x = training.data.tensor(CPU, follow="release")[training.indices("test")]
    with torch.no_grad():
        logits, features = training.network.eval()(x, auxiliary=True)
    for name, z, f in zip(("AC1", "AC2", ""), logits, features, strict=True):
        torch.testing.assert_close(torch.tensor(scores[name]), z.softmax(1), rtol=0, atol=1e-5)
        torch.testing.assert_close(torch.tensor(training.figures.features[name]), f, rtol=0, atol=6e-4)


@pytest.mark.parametrize("row", PAPER.table("table5").rows, ids=lambda row: row.name)
def test_networks_of_table_5_have_the_parts_in_their_names(row):
    """Magnification in each stream, ECA in each layer of L, a shift before each of T but the first, two classifiers."""
    mag, eca, tsm, skd = (part in row.name.split(" + ") for part in ("Mag", "ECA", "TSM", "SKD"))
    with torch.device("meta"):
        net = network(replace(BASE, **row.changes), 5)()
    parts = [type(module) for module in net.modules()]
    layers = 9 if skd else 5
    assert [parts.count(kind) for kind in (MotionMagnification, ECA, TemporalShift)] == [
        3 * mag,
        layers * eca,
        (layers - 1) * tsm,
    ]
    assert len(net.AC_fc) == 2 * skd


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_every_network_can_be_built(scale):
    base = PAPER.base(scale, {})
    with torch.device("meta"):
        for config in {replace(base, **r.changes, **c.changes) for _, r, c in CELLS.values()}:
            net = network(config, 5, config.domains)().eval()
            x = torch.empty(2, 34 + 2 * config.domains, config.size, config.size)
            assert net(x).logits[-1].shape == (2, 5)


def test_settings_are_those_of_section_4_2():
    config = PAPER.config()
    assert (config.size, config.alpha, config.domains) == (48, 2, 2)
    assert (config.lr, config.betas, config.weight_decay) == (0.001, (0.9, 0.99), 0.0005)
    assert (config.lambda_1, config.lambda_2, config.T, config.gamma) == (0.1, 0.000001, 3, 2)
    assert (config.pretrain_iterations, config.pretrain_batch, config.iterations) == (10_000, 16, 20_000)
    assert config.full_rate == 1


def test_rows_set_what_their_names_say():
    parts = ("Mag", "ECA", "TSM", "SKD")
    for table, row in ((t.name, r) for t in TABLES for r in t.rows):
        changes = {
            name: getattr(Config(), name) for name in ("mag", "eca", "tsm", "skd", "alpha", "domains", "pretrain")
        }
        if table == "table5":
            changes |= {part.lower(): part in row.name.split(" + ") for part in parts}
        elif table == "table6":
            changes["domains"] = int(row.name.split()[0])
        elif table == "figure9b":
            changes["alpha"] = float(row.name.removeprefix("AF "))
        elif row.name.startswith("without"):
            changes |= {"ECA": {"eca": False}, "TL": {"pretrain": "false"}}[row.name.split()[1]]
        elif row.name.startswith("TSCNN"):
            changes |= {part.lower(): False for part in parts}
        elif row.name.startswith(("STSTNet", "CapsuleNet", "MMNet")):
            continue
        config = replace(Config(), **row.changes)
        assert {name: getattr(config, name) for name in changes} == changes, f"{table}: {row.name}"
        assert config.modified != row.name.startswith("TSCNN") and config.method == "SKD-TSTSAN"
        assert row.output == {"Classifier 1/3": "AC1", "Classifier 2/3": "AC2"}.get(row.name, ""), row.name


def test_the_papers_batches():
    """16, and 32 on CAS(ME)³ (Sec. 4.2), after the same pre-training; the baselines have their own."""
    base = PAPER.base("paper", {})
    for row, column in ((r, c) for t in TABLES for r, c in t.cells() if "method" not in r.changes):
        config = replace(base, **row.changes, **column.changes)
        assert config.batch == (32 if column.task.startswith("casme3") else 16)
        if not row.changes:
            assert PAPER.pretraining(config, TASKS[column.task]) == PAPER.pretraining(base, TASK)


def test_casme2_is_that_of_the_release():
    """Its 244 clips, in its order of classes, wherever the paper has five."""
    columns = [c for t in TABLES for c in t.columns if "CASME II" in c.name + t.title and "3 classes" not in c.name]
    five = {c.task for c in columns if c.task != "cde-3"}
    assert five == {TASK.name} and TASK.expected == {"CASME2": 244}
    assert TASK.classes == ("happiness", "surprise", "disgust", "repression", "others")


def face(clip, number: int) -> Tensor:
    """A frame of a sample, grey, as OpenCV makes a face of it: (32, 32) uint8."""
    image = np.array(Image.open(clip["frames"].path(number)).convert("L"))
    return torch.from_numpy(cv2.resize(image, (32, 32)))


def test_inputs_are_those_of_the_sample(corpora):
    """Frames, boxes and flow in their channels (Sec. 4.2); the images themselves have golden numbers."""
    cache, micro, _ = corpora
    x = data.load(micro, BASE, cache).tensor(CPU, follow="release")
    signed = data.load(micro, BASE, cache).tensor(CPU, follow="paper")
    assert x.shape == (10, 38, 20, 20) and x.dtype == torch.float32
    onset, apex, offset = (face(micro.loc[3], number) for number in (2, 4, 6))
    torch.testing.assert_close(x[3, :34], data.whole_and_patches(torch.stack([onset, apex])[None], 20)[0])
    assert torch.equal(x[:, :34], signed[:, :34])
    pairs = tvl1(torch.stack([onset, apex]), torch.stack([apex, offset]))
    expected = torch.nn.functional.interpolate(pairs, (20, 20), mode="bilinear").flatten(0, 1)
    torch.testing.assert_close(signed[3, 34:], expected)
    torch.testing.assert_close(x[3, 34:], data.grey(expected), atol=1.001 / 255, rtol=0)  # a rounding may tip a step


def test_domains_are_flows_between_interpolated_neighbours(corpora):
    """Table 6: TIM to one frame more than domains; from onset to offset."""
    cache, micro, _ = corpora
    config = replace(BASE, domains=5)
    signed = data.load(micro, config, cache).tensor(CPU, follow="paper")
    frames = [face(micro.loc[3], number) for number in range(2, 7)]
    frames = torch.from_numpy(tim(np.stack(frames), 6).clip(0, 255).round().astype(np.uint8))
    third = torch.nn.functional.interpolate(tvl1(frames[2:3], frames[3:4]), (20, 20), mode="bilinear")[0]
    torch.testing.assert_close(signed[3, 34 + 4 : 34 + 6], third)


def test_no_motion_is_zero(corpora):
    """Constant flow has no range to be stretched to."""
    cache, micro, _ = corpora
    still = micro.assign(apex=micro["onset"], offset=micro["onset"])
    x = data.load(still, BASE, cache).tensor(CPU, follow="release")
    assert (x[:, 34:] == 0).all() and x[:, :34].amax() == 1


def test_macro_expressions_end_where_they_began(corpora):
    """Sec. 4.2: the first frame is onset and offset, so that the second flow leads back."""
    cache, _, macro = corpora
    clips = data.MacroExpressions(macro, BASE, cache)
    assert len(clips) == 14 and sorted(set(clips.y.tolist())) == list(range(7))
    start, end = (face(macro.loc[0], number)[None] for number in (2, 4))
    back = torch.nn.functional.interpolate(tvl1(end, start), (20, 20), mode="bilinear")
    paper = data.MacroExpressions(macro, replace(BASE, follow="paper"), cache)
    torch.testing.assert_close(paper[0, 0, list(macro["sample"]).index(macro["sample"][0])][0][36:], back[0])


def test_a_pretraining_weighs_a_class_by_its_clips(corpora, monkeypatch):
    """One clip of the first class, two of each other: 1 and six times 1/2, divided by their sum."""
    cache, micro, macro = corpora
    seen, criterion = [], skd_tstsan.train.criterion
    monkeypatch.setattr(skd_tstsan.train, "criterion", lambda *given: seen.append(given[3]) or criterion(*given))
    pretrained(BASE, (cache / "uneven", micro, macro[1:]))
    torch.testing.assert_close(seen[0], torch.tensor([2.0] + [1.0] * 6) / 8)


def test_transfer_takes_all_but_the_last_layers(corpora):
    """With no training to come, the fold's network does not say what one without them says."""
    weights, _ = pretrained(BASE, corpora)
    training = fold_of(replace(BASE, lr=1e-12), corpora, weights)
    train(training)
    config = replace(BASE, lr=1e-12)
    net = network(config, 5)()
    assert set(net.state_dict()) - set(weights) == {k for k in net.state_dict() if k.startswith(LAST)}
    other = fold_of(config, corpora)
    train(other)
    assert training.figures.features != other.figures.features


def test_a_fold_is_the_same_twice(corpora):
    first, second = (fold_of(BASE, corpora) for _ in range(2))
    for training in (first, second):
        torch.manual_seed(1)
        train(training)
    assert first.predictions == second.predictions and first.history == second.history


def test_each_classifier_is_scored_at_its_own_best_epoch(corpora):
    """Table 7, from training's scores to the table's."""
    training = replace(fold_of(BASE, corpora), rule="best_on_test", metrics=("uf1", "uar"))
    right = torch.nn.functional.one_hot(training.targets, 5).float()
    wrong = right.roll(1, dims=1)
    for epoch, best in enumerate(("AC1", "", "AC2")):  # each is right in one epoch alone
        training.score(epoch, lambda rows, best=best: {n: (right if n == best else wrong)[rows] for n in CLASSIFIERS})
    rows = training.indices("test")
    record = {
        "fold": training.fold.name,
        "corpora": ["CASME2"] * len(rows),
        "subjects": [training.fold.name] * len(rows),
        "targets": training.targets[rows].tolist(),
        "predictions": training.predictions,
    }
    column = next(c for c in PAPER.table("table7").columns if c.task == TASK.name)
    for row in PAPER.table("table7").rows:
        _, targets, answers, *_ = pooled([record], "best_on_test", row.output, column)
        assert (answers == targets).all(), row.name
        _, targets, answers, *_ = pooled([record], "last", row.output, column)
        assert (answers == targets).all() == (row.output == "AC2"), row.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(tsm=False, domains=5), "domains=2"),
        (dict(start="x.pth", mag=False), "start=x.pth: a row without Mag cannot take"),
        (dict(start="x.pth", **PLAIN, modified=False), "start=x.pth: a row without Mag, TSM, batch norm"),
        (dict(start="x.pth", follow="paper"), "without the released g of 7×7"),
        (dict(start="x.pth", magnifier="m.pth"), "magnifier=m.pth is not used: start=x.pth brings one"),
        (dict(magnifier="m.pth", follow="paper"), "magnifier=m.pth: its g is 7×7, the paper's 3×3"),
        (dict(magnifier="m.pth", mag=False), "magnifier=m.pth is not used: a row without Mag"),
        (dict(modified=False), "modified=False: expected mag, eca, tsm and skd to be False"),
        (dict(resize=33), "resize=33: expected a multiple of 4"),
        (dict(size=16), "size=16: expected at least 17"),
        (dict(width=4), "width=4: expected at least 8"),
        (dict(batch=0), "batch=0: expected at least 1"),
        (dict(lr=float("nan")), "lr=nan: expected a finite number"),
        (dict(betas=(0.9, 1.0)), "betas=0.9,1.0: expected at least 0 and less than 1"),
        (dict(follow="both"), "follow=both: expected release, paper"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        replace(BASE, **changes)


def test_the_released_network_is_not_pretrained_again():
    """Unless it is asked for; without it, or with its magnifier alone, training on CK+ comes first."""

    def corpora(**settings):
        return (PAPER.pretraining(PAPER.base("paper", settings), TASK) or {}).get("corpora", ())

    assert corpora() == corpora(magnifier="magnet.pth") == corpora(start="x.pth", pretrain="true") == ("CK+",)
    assert corpora(start="x.pth") == corpora(pretrain="false") == ()
    (line,) = PAPER.remarks(PAPER.base("paper", dict(start="x.pth")))
    assert "x.pth" in line and "CK+" not in line
    for row in PAPER.table("figure9a").rows:
        config = replace(PAPER.base("paper", {}), **row.changes)
        assert bool(PAPER.pretraining(config, TASK)) == (row.name == "with TL")
    assert replace(PAPER.base("paper", {}), **row.changes) == PAPER.base("paper", {})  # the experiment of other tables


@pytest.mark.parametrize("follow", ["release", "paper"])
def test_shares_of_a_batch_make_up_the_batch(follow):
    """In several processes: the mean of what each adds is the loss of the whole batch, Eq. (10), whatever its share."""
    z, f = torch.randn(3, 8, 5), torch.rand(3, 8, 12)
    y, alpha = torch.randint(0, 5, (8,)), torch.rand(5)
    parts = slice(0, 3), slice(3, 8)

    class Team:
        num_processes = 2

        @staticmethod
        def reduce(own, reduction):
            """Of the numbers of samples, 3 and 5, or of their weights."""
            return torch.tensor(4.0) if own in (3, 5) else alpha[y].sum() / 2

    config, whole = replace(BASE, follow=follow), skd_loss(z, f, y, alpha, follow=follow)
    shares = [of_all(skd_loss(z[:, p], f[:, p], y[p], alpha, follow=follow), alpha, y[p], Team, config) for p in parts]
    for name, term in whole.items():
        torch.testing.assert_close((shares[0][name] + shares[1][name]) / 2, term)
