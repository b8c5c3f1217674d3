"""Every distinct row runs, on a few random images; the stages do to the weights what the paper says."""

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from ma2mi import data
from ma2mi.autoencoder import Autoencoder
from ma2mi.config import SMOKE, Config
from ma2mi.experiments import PAPER, TABLES
from ma2mi.losses import draw_tau
from ma2mi.model import MIACNet
from ma2mi.train import Reconstruction, autoencoder, drawn_tau, network, optimiser, pretrain, train
from shared.corpora.samples import Frames
from shared.errors import UserError
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Needs, Pretraining
from shared.tasks import TASKS

CPU = torch.device("cpu")
TINY = dict(
    size=64, resize=72, width=8, dim=12, dit_dim=12, dit_depth=1, pretrain_epochs=1, pretrain_batch=5, epochs=1, batch=6
)
BASE = replace(Config(**SMOKE), **TINY)
ROWS = {f"{table.name}/{row.name}": replace(BASE, **row.changes) for table in TABLES for row in table.rows}


def clips_of(corpus: str, emotions, folder, frames: int, people: int = 3) -> pd.DataFrame:
    """A clip of random images an emotion and a person, the apex in the middle."""
    rng, rows = np.random.default_rng(0), []
    for person in range(people):
        for emotion in emotions:
            name, numbers = f"{corpus}/s{person}/{emotion}", tuple(range(1, frames + 1))
            held = Frames(str(folder / name), tuple(f"{n}.png" for n in numbers), numbers)
            (folder / name).mkdir(parents=True)
            for number in numbers:
                Image.fromarray(rng.integers(0, 256, (36, 36, 3), np.uint8)).save(held.path(number))
            rows.append((name, corpus, f"{corpus}/s{person}", emotion, (), "", 1, frames // 2, frames, 30.0, held))
    names = ("sample", "corpus", "subject", "emotion", "aus", "au_codes", "onset", "apex", "offset", "fps", "frames")
    return pd.DataFrame(rows, columns=names).astype({"onset": "Int64", "apex": "Int64", "offset": "Int64"})


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The cache, micro-expressions of CASME II's five classes, and macro-expressions."""
    folder = tmp_path_factory.mktemp("clips")
    task = TASKS["casme2-5-2019"]
    micro = task.select(clips_of("CASME2", task.classes, folder, frames=4))
    macro = clips_of("DFEW", ("anger", "happiness"), folder, frames=24)
    return folder / "cache", micro, macro


def pretrained(config: Config, corpora):
    cache, _, macro = corpora
    torch.manual_seed(0)
    task = TASKS["casme2-5-2019"]
    needs = Needs(PAPER.pretraining(config, task))
    clips = PAPER.pretraining_data({config.source: macro}, needs, cache)
    pretraining = Pretraining("tiny", needs, task, clips, {}, 0, Alone(CPU), cache / "stage")
    return pretrain(pretraining), pretraining


def fold_of(config: Config, corpora, weights=None) -> FoldTraining:
    cache, micro, _ = corpora
    torch.manual_seed(0)
    task = TASKS["casme2-5-2019"]
    store = data.load(micro, config, cache)
    return FoldTraining("tiny", config, task, task.folds(micro)[0], store, micro, 0, CPU, weights)


@pytest.mark.parametrize("config", dict.fromkeys(ROWS.values()), ids=lambda c: next(n for n in ROWS if ROWS[n] == c))
def test_every_row_pretrains_and_trains(config, corpora):
    weights = None
    if PAPER.pretraining(config, TASKS["casme2-5-2019"]):
        weights, training = pretrained(config, corpora)
        assert len(training.history) == 1
    training = fold_of(config, corpora, weights)
    train(training)
    assert set(training.predictions["epochs"]) == {"last", "best_on_test"}
    scores = np.array(training.predictions["scores"][str(training.scored_epoch)][""])
    assert scores.shape == (5, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    heat = np.array(training.figures.heat)
    assert heat.shape == (5, 2, 2) and heat.min() >= 0 and heat.max() <= 1


def test_rows_that_are_the_papers_own_method_are_one_experiment():
    own = {ROWS[name] for name in ("table1/MA2MI", "table2/FPE + FAE", "table3/DFEW", "table4/FPE, L_pos")}
    assert len(own | {ROWS["table5/MA2MI (Ours)"], ROWS["table6/MA2MI (Ours)"], ROWS["figure4/δ in [3, 8]"]}) == 1
    assert ROWS["table1/w/o (baseline)"] == ROWS["table3/None"]


@pytest.mark.parametrize("tune, still", [("position", "E_a"), ("action", "E_p")])
def test_fine_tuning_one_encoder_leaves_the_other_as_it_was(tune, still, corpora, monkeypatch):
    config = replace(BASE, tune=tune)
    weights, _ = pretrained(config, corpora)
    kept = []
    monkeypatch.setattr("ma2mi.train.heat_maps", lambda net, *_: kept.append(net) or torch.zeros(1))
    train(fold_of(config, corpora, weights))
    after = {f"miacnet.{k}": v for k, v in kept[0].state_dict().items()}
    moved = {k.split(".")[1] for k, v in weights.items() if k.startswith("miacnet.") and not torch.equal(v, after[k])}
    assert still not in moved and {"E_p", "E_a"} - {still} <= moved and "proj" in moved


@pytest.mark.parametrize("with_loss", [True, False])
def test_the_reconstruction_reaches_the_position_encoder_only_without_its_own_loss(with_loss):
    config = replace(BASE, position_loss=with_loss)
    tau = drawn_tau(config, 4, torch.Generator())
    assert (tau is not None) == with_loss
    model = Reconstruction(config, autoencoder(config, None))
    for parameter in model.dit.parameters():  # the final layer starts at zero and would stop every gradient
        torch.nn.init.normal_(parameter, std=0.1) if parameter.requires_grad else None
    terms = model(*torch.rand(2, 4, 3, 64, 64).unbind(), tau)
    assert terms.keys() == {"L_rec", *(("L_1", "L_2", "L_3") if with_loss else ())}
    terms["L_rec"].backward()
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.miacnet.E_p.parameters()]
    assert any(reached) != with_loss
    assert model.miacnet.E_a.conv1.weight.grad.abs().sum() > 0


def test_tau_has_the_ranges_of_its_settings():
    tau = drawn_tau(Config(tau_degrees=20, tau_shift=0.05), 2000, torch.Generator().manual_seed(0))
    degrees = torch.atan2(tau[:, 1, 0], tau[:, 0, 0]).rad2deg()
    right, down = tau[:, :, 2].unbind(1)
    for values, reach in (degrees, 20), (right / 2, 0.05), (down / 2, 0.05):  # a side is 2 long
        assert -reach <= values.min() < -0.98 * reach and 0.98 * reach < values.max() <= reach


@pytest.mark.parametrize("pretrain", ["latents", "recognition"])
def test_miacnet_is_given_the_earlier_frame_first(pretrain, tmp_path, monkeypatch):
    """In both stages and in testing, of clips that grow lighter."""
    task, seen, encode = TASKS["casme2-5-2019"], [], MIACNet.encode
    micro = task.select(clips_of("CASME2", task.classes, tmp_path, frames=4, people=2))
    macro = clips_of("DFEW", ("anger", "happiness"), tmp_path, frames=24)
    for frames in (*micro["frames"], *macro["frames"]):
        for number in frames.numbers:
            Image.new("RGB", (36, 36), (20 + 8 * number,) * 3).save(frames.path(number))

    def watched(net, I_t, I_td):
        seen.append((net.training, bool((I_t.mean((1, 2, 3)) < I_td.mean((1, 2, 3))).all())))
        return encode(net, I_t, I_td)

    monkeypatch.setattr(MIACNet, "encode", watched)
    config, corpora = replace(BASE, pretrain=pretrain), (tmp_path / "cache", micro, macro)
    weights, _ = pretrained(config, corpora)
    assert seen and set(seen) == {(True, True)}
    training = fold_of(replace(config, reconstruct=pretrain == "latents"), corpora, weights)
    train(training)
    assert set(seen) == {(True, True), (False, True)}
    seen.clear()
    dark, light = torch.full((2, 3, 64, 64), -0.5), torch.full((2, 3, 64, 64), 0.5)
    training.network.predict(dark, light)
    Reconstruction(BASE, autoencoder(BASE, None)).predict(dark, light)
    PAPER.apply(training.network, training.data, config)
    assert len(seen) == 4 and all(lighter for _, lighter in seen)


def test_L_pos_is_of_the_first_frame_and_reaches_its_encoder(monkeypatch):
    """Each of its terms (Eq. 6), and those of the branches come apart: L_rec does not reach E_p through F^p."""
    from ma2mi import train as module

    seen, position_loss = [], module.position_loss
    monkeypatch.setattr(
        module, "position_loss", lambda E, I, tau, **how: seen.append(I) or position_loss(E, I, tau, **how)
    )
    torch.manual_seed(0)
    model = Reconstruction(BASE, autoencoder(BASE, None))
    I_t, I_td = torch.rand(2, 4, 3, 64, 64).unbind()
    terms = model(I_t, I_td, draw_tau(4))
    assert len(seen) == 1 and torch.equal(seen[0], I_t)
    weight = model.miacnet.E_p.conv1.weight
    for name in ("L_1", "L_2", "L_3"):
        assert torch.autograd.grad(terms[name], weight, retain_graph=True)[0].any(), name


@pytest.mark.parametrize("pretrain", ["latents", "pixels"])
def test_what_L_rec_is_compared_with(pretrain):
    """L_rec (Eq. 9), copying Z_t, and the first eighth of the batch under C_Δ of the next clip, written out."""
    torch.manual_seed(0)
    config = replace(BASE, pretrain=pretrain)
    model = Reconstruction(config, autoencoder(config, None))
    for parameter in model.dit.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    I_t, I_td = torch.rand(2, 16, 3, 64, 64).unbind()
    tau = draw_tau(16)
    terms = model(I_t, I_td, tau, compare=True)
    compared = {"copying", "foreign", "own"}
    assert model(I_t, I_td, tau).keys() == {"L_1", "L_2", "L_3", "L_rec"} == terms.keys() - compared
    assert not any(terms[name].requires_grad for name in compared)
    Z_t, Z_td = (I_t, I_td) if pretrain == "pixels" else (model.latents(I_t), model.latents(I_td))
    C_delta = model.miacnet(I_t, I_td)
    copied = [float((a - b).abs().mean()) for a, b in zip(Z_t, Z_td, strict=True)]
    assert terms["copying"].item() == pytest.approx(sum(copied) / 16, rel=1e-5)
    for name, clips, off in ("L_rec", 16, 0), ("foreign", 2, 1), ("own", 2, 0):
        losses = [(model.dit(Z_t[[n]], C_delta[[n + off]]) - Z_td[n]).abs().mean().item() for n in range(clips)]
        assert terms[name].item() == pytest.approx(sum(losses) / clips, rel=1e-4)


def test_pretraining_logs_what_L_rec_is_compared_with_and_does_not_minimise_it(corpora, monkeypatch):
    weights, training = pretrained(BASE, corpora)
    epoch = training.history[-1]
    assert epoch.keys() == {"epoch", "L_1", "L_2", "L_3", "L_rec", "copying", "foreign", "own"}
    monkeypatch.setattr(Reconstruction, "comparisons", lambda *_: {})
    other, _ = pretrained(BASE, corpora)
    assert all(torch.equal(weights[name], other[name]) for name in weights)


@pytest.mark.parametrize(
    "copying, foreign, ending",
    [
        (0.02, 0.03, "another clip 0.0300 (its own 0.0200)"),
        (0.02, 0.018, "; no better than the motion of another clip: it has learned no motion"),
        (0.01, 0.03, "; no better than copying the first frame: it has learned no motion"),
        (0.02, 0.01, "; no better than the motion of another clip: it has learned no motion"),
        (0.01, 0.01, "copying the first frame and the motion of another clip: it has learned no motion"),
    ],
)
def test_under_the_table_stands_whether_motion_was_learned(copying, foreign, ending):
    """Of a part of the batch, whose own loss is not that of the whole."""
    epoch = {"epoch": 2, "L_1": 0.1, "L_rec": 0.015, "copying": copying, "foreign": foreign, "own": 0.02}
    history = [{"epoch": 1}, epoch]
    assert len(PAPER.remarks(Config(), (), ())) == 1
    weights, line = PAPER.remarks(Config(), history, ())
    assert weights.startswith("weights: random; pre-trained here on DFEW in the latents of the published autoencoder")
    assert line.startswith(f"pre-training, epoch 2: L_rec 0.0150, copying the first frame {copying:.4f}, ")
    assert line.endswith(ending)
    line = PAPER.remarks(Config(pretrain="recognition"), [{"epoch": 9, "cross_entropy": 1.5}], ())[1]
    assert line == "pre-training, epoch 9: cross-entropy 1.5000"


def test_the_learning_rate_ends_at_its_share():
    adamw, decay = optimiser(torch.nn.Linear(2, 2), lr=4e-4, final=0.01, epochs=80, weight_decay=0.1)
    for _ in range(79):
        adamw.step()
        decay.step()
    assert adamw.param_groups[0]["lr"] == pytest.approx(4e-6)
    assert adamw.param_groups[0]["weight_decay"] == 0.1


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"size": 68}, "size=68: expected a multiple of 8"),
        ({"size": 80}, "size=80: expected at most resize=72"),
        ({"patch": 3}, "patch=3: expected a divisor of 8, the side that the DiT sees of size=64"),
        ({"pretrain": "pixels", "patch_pixels": 12}, "patch_pixels=12: expected a divisor of 64"),
        ({"dit_dim": 14}, "dit_dim=14: expected a multiple of dit_heads=3 and of 4"),
        ({"size": 32}, "size=32: expected more than 32: L_pos"),
        ({"position": False, "tune": "position"}, "tune=position: expected position=true"),
        ({"delta": (8, 3)}, "delta=8,3: expected the lower bound first"),
        ({"pretrain": "recognition", "reconstruct": True}, "reconstruct=True: expected pretrain=latents"),
        ({"lr": float("nan")}, "lr=nan: expected a finite number"),
        ({"batch": 0}, "batch=0: expected at least 2"),
        ({"epochs": -3}, "epochs=-3: expected at least 1"),
        ({"final": 2.0}, "final=2.0: expected more than 0 and at most 1"),
    ],
)
def test_settings_that_cannot_run_are_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(BASE, **changes)


def test_settings_of_a_dit_that_is_not_built_are_not_compared():
    assert replace(BASE, pretrain="none", patch=3, dit_dim=14, size=68).size == 68


def test_both_frames_of_a_pair_are_augmented_alike():
    torch.manual_seed(0)
    frame = torch.randint(0, 256, (5, 1, 36, 36, 3), dtype=torch.uint8)
    I_t, I_td = data.augmented(frame.expand(-1, 2, -1, -1, -1), 32, degrees=10)
    assert I_t.shape == (5, 3, 32, 32)
    assert torch.equal(I_t, I_td)
    assert not torch.allclose(I_t[0], data.whole(frame.expand(-1, 2, -1, -1, -1), 32)[0][0])


def test_augmentation_draws_from_the_generator_it_is_given():
    pairs = torch.randint(0, 256, (5, 2, 36, 36, 3), dtype=torch.uint8)
    state = torch.get_rng_state()
    first, again = (
        data.augmented(pairs, 32, degrees=10, generator=torch.Generator().manual_seed(0))[0] for _ in range(2)
    )
    assert torch.equal(first, again) and torch.equal(state, torch.get_rng_state())


def test_an_unrotated_crop_is_a_window_of_the_image_or_of_its_mirror():
    torch.manual_seed(1)
    columns = torch.arange(36).float().expand(36, 36)  # a ramp: resampling it at unit zoom leaves it a ramp
    pairs = columns[None, None, :, :, None].expand(8, 2, -1, -1, 3).to(torch.uint8)
    I_t, _ = data.augmented(pairs, 32, degrees=0)
    steps = ((I_t + 1) * 127.5)[:, 0, 16].diff(dim=1)
    assert set(steps.mean(dim=1).round().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(steps.abs(), torch.ones_like(steps), atol=1e-3, rtol=0)


def test_crops_flips_and_rotations_have_their_whole_range():
    """Where pixels come from, read off images of their columns and rows."""
    places = torch.stack([torch.arange(36).expand(36, 36), torch.arange(36)[:, None].expand(36, 36)])
    pairs = places[None, :, :, :, None].expand(600, 2, -1, -1, 3).to(torch.uint8)
    generator = torch.Generator().manual_seed(0)
    x, y = ((I[:, 0] + 1) * 127.5 for I in data.augmented(pairs, 32, degrees=10, generator=generator))
    across = [(at[:, 16, 22] - at[:, 16, 10]) / 12 for at in (x, y)]
    flipped = across[0].sign()
    degrees = torch.atan2(across[1] * flipped, across[0] * flipped).rad2deg()
    shifts = [at[:, 15:17, 15:17].mean(dim=(1, 2)) - 17.5 for at in (x, y)]
    for values, reach in ((degrees, 10), (shifts[0], 2), (shifts[1], 2)):
        assert -reach - 0.01 <= values.min() < -0.95 * reach and 0.95 * reach < values.max() <= reach + 0.01
        assert values.mean().abs() < 0.1 * reach
    assert flipped.mean().abs() < 0.1


def test_images_are_made_smaller_as_pillow_does():
    pair = torch.randint(0, 256, (1, 2, 72, 72, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for found, image in zip(data.whole(pair, 32), pair[0].numpy(), strict=True):
        expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32)
        np.testing.assert_allclose((found[0].movedim(0, -1) + 1) * 127.5, expected, atol=1)


def test_pairs_are_drawn_from_seed_epoch_and_clip(corpora):
    cache, _, macro = corpora
    pairs = data.FramePairs(macro, size=36, delta=(3, 8), cache=cache)
    clip = torch.from_numpy(pairs.store.clip(2).copy())
    seen = set()
    for epoch in range(60):
        I_t, I_td = pairs[1, epoch, 2]
        assert torch.equal(I_t, pairs[1, epoch, 2][0])
        t, later = ((clip == I).flatten(1).all(1).nonzero().item() for I in (I_t, I_td))
        seen.add(later - t)
    assert seen == set(range(3, 9))


def test_short_clips_give_their_first_and_last_frame(corpora):
    cache, micro, _ = corpora
    pairs = data.FramePairs(micro, size=36, delta=(9, 14), cache=cache)
    clip = pairs.store.clip(0)
    assert all(np.array_equal(I, clip[at]) for I, at in zip(pairs[1, 0, 0], (0, -1), strict=True))


def test_streamed_pairs_are_the_prepared_ones(corpora, monkeypatch):
    cache, _, macro = corpora
    prepared = data.FramePairs(macro, size=36, delta=(3, 8), cache=cache)
    monkeypatch.setattr(data, "IN_MEMORY", 0)
    streamed = data.FramePairs(macro, size=36, delta=(3, 8), cache=cache)
    assert streamed.store is None
    for place in [(1, 0, 0), (1, 3, 5)]:
        assert all(torch.equal(a, b) for a, b in zip(prepared[place], streamed[place], strict=True))


def test_the_pair_of_a_labelled_clip_ends_at_its_most_different_frame(tmp_path):
    clips = clips_of("DFEW", ("anger",), tmp_path, frames=5, people=1)
    for number, grey in zip(range(1, 6), (100, 110, 90, 180, 130), strict=True):
        Image.new("RGB", (36, 36), (grey,) * 3).save(clips["frames"][0].path(number))
    first, peak, label = data.LabelledPairs(clips, size=36, cache=tmp_path / "cache")[0, 0, 0]
    assert (int(first[0, 0, 0]), int(peak[0, 0, 0]), label) == (100, 180, 0)


def test_a_broken_clip_takes_its_label_with_it(tmp_path):
    clips = clips_of("DFEW", ("anger", "happiness"), tmp_path, frames=3, people=1)
    Path(clips["frames"][0].path(2)).write_bytes(b"")
    pairs = data.LabelledPairs(clips, size=36, cache=tmp_path / "cache")
    assert pairs.classes == ["anger", "happiness"] and [pairs[0, 0, i][2] for i in range(len(pairs))] == [1]


def test_a_micro_expression_is_its_onset_then_its_apex(corpora):
    cache, micro, _ = corpora
    frames = micro["frames"][3]
    found = data.load(micro, SimpleNamespace(resize=36), cache).stacked()[3]
    for pixels, number in zip(found, (1, 2), strict=True):
        assert np.array_equal(pixels, np.asarray(Image.open(frames.path(number))))


def test_paper_scale_builds():
    with torch.device("meta"):
        model = Reconstruction(Config(autoencoder="random"), autoencoder(Config(autoencoder="random"), None))
        pixels = Reconstruction(Config(pretrain="pixels"), None)
    assert sum(p.numel() for p in model.dit.parameters()) == 128_943_376
    assert sum(p.numel() for p in pixels.dit.parameters()) == 130_099_200
    assert sum(p.numel() for p in network(Config())().E_p.parameters()) == 11_176_512  # torchvision's, less fc


@pytest.mark.parametrize("reconstruct", [True, False])
def test_fine_tuning_keeps_the_reconstruction_alone(reconstruct, corpora, monkeypatch):
    """Table 2's "reconstruction part" is L_rec, beside the cross-entropy; it reaches both encoders."""
    config = replace(BASE, reconstruct=reconstruct, batch=10)
    weights, _ = pretrained(config, corpora)
    weights = {k: v + 0.1 * torch.rand_like(v) if k.startswith("dit.") else v for k, v in weights.items()}
    terms, losses, backward = [], [], torch.Tensor.backward

    class Watched(Reconstruction):
        def forward(self, *args, **how):
            terms.append(super().forward(*args, **how))
            reached = [e.conv1.weight for e in (self.miacnet.E_p, self.miacnet.E_a)]
            for gradient in torch.autograd.grad(terms[-1]["L_rec"], reached, retain_graph=True):
                assert gradient.any()
            return terms[-1]

    monkeypatch.setattr("ma2mi.train.Reconstruction", Watched)
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: losses.append(loss.item()) or backward(loss))
    train(fold_of(config, corpora, weights))
    assert [set(term) for term in terms] == [{"L_rec"}] * reconstruct
    of_chance = math.log(5)  # of the zero-initialised layer
    assert losses == [pytest.approx(of_chance + sum(term["L_rec"].item() for term in terms), rel=1e-5)]


def test_settings_are_those_of_section_4_3():
    config = PAPER.config()
    assert (config.size, config.delta, config.source) == (256, (3, 8), "DFEW")
    assert (config.dit_dim, config.dit_depth, config.dit_heads) == (768, 12, 12)  # DiT-B
    assert config.pretrain_lr == config.lr == 0.0004
    assert (config.pretrain_batch, config.batch, config.weight_decay) == (32, 16, 0.1)
    assert config.pretrain_epochs == config.epochs == 80 and config.tune_final == 1


def test_rows_set_what_their_names_say():
    paper = Config()
    tunes = {"FPE": "position", "FAE": "action", "FPE + FAE": "both"}
    pretrains = {"w/o (baseline)": "none", "MAER": "recognition", "MA2MI†": "pixels", "MA2MI": "latents"}
    branches = {"no FPE": (False, True), "FPE, no L_pos": (True, False), "FPE, L_pos": (True, True)}
    for table in TABLES:
        for row in table.rows:
            what, config = row.name.removeprefix("reconstruction, "), replace(paper, **row.changes)
            expected = {}
            if table.name == "table1":
                expected = dict(pretrain=pretrains[what])
            elif table.name == "table2":
                expected = dict(tune=tunes[what], reconstruct=what != row.name)
            elif table.name == "table3":
                expected = dict(pretrain="none") if what == "None" else dict(source=what.replace("FERV39K", "FERV39k"))
            elif table.name == "table4":
                expected = dict(zip(("position", "position_loss"), branches[what], strict=True))
            elif table.name == "figure4":
                expected = dict(delta=tuple(map(int, re.findall(r"\d+", what))))
            assert config == replace(paper, **expected), f"{table.name}: {row.name}"
            assert [c.task for c in table.columns] == [
                {"CASME": "casme2-5-2019", "SAMM": "samm-5", "MMEW": "mmew-6"}[c.name.split()[0]] for c in table.columns
            ]


@pytest.fixture
def small(monkeypatch):
    """A small convolutional autoencoder in place of that of latent diffusion; what it encodes is counted."""
    encoded = []

    class Small(Autoencoder):
        def __init__(self):
            super().__init__(channels=(32, 32, 32, 32))

        def encode(self, I):
            encoded.append(len(I))
            return super().encode(I)

    monkeypatch.setattr("ma2mi.train.Autoencoder", Small)
    return encoded


def test_latents_are_computed_once_for_all_pretrainings(corpora, tmp_path, small):
    """Frame by frame they are those of the autoencoder, in half precision; losses are those without the cache."""
    config = replace(BASE, autoencoder="random", pretrain_epochs=13)  # 6 clips of 24 frames; a pair a clip an epoch
    corpora = tmp_path, *corpora[1:]
    _, first = pretrained(config, corpora)
    assert sum(small) == 6 * 24
    small.clear()
    pretrained(replace(config, delta=(1, 2), pretrain_lr=1e-4), corpora)
    assert not small
    torch.manual_seed(0)
    net, pairs = autoencoder(config, None), first.data
    for place in ((0, 0, 0), (3, 1, 5)):
        I_t, I_td, Z_t, Z_td = pairs[place]
        for I, Z in ((I_t, Z_t), (I_td, Z_td)):
            assert Z.dtype == torch.float16 and Z.shape == (4, 8, 8)
            torch.testing.assert_close(Z.float(), net.encode(data.normalised(I[None]))[0], rtol=1e-3, atol=1e-3)
    (path,) = tmp_path.glob("latents-*.f16")
    assert path.stat().st_size == 6 * 24 * 4 * 8 * 8 * 2
    small.clear()
    _, without = pretrained(replace(config, cache_latents=False), corpora)
    assert sum(small) == 13 * 2 * 5  # an epoch is a batch of five pairs
    for a, b in zip(first.history, without.history, strict=True):
        assert a == pytest.approx(b, rel=2e-3)
    torch.manual_seed(1)
    other = autoencoder(config, None)
    first.data.encode(lambda frames: other.encode(data.normalised(frames)), "other weights", 8)
    assert len(list(tmp_path.glob("latents-*.f16"))) == 2


def test_latents_are_not_kept_without_space_or_for_a_few_steps(corpora, tmp_path, small, monkeypatch, capsys):
    config = replace(BASE, autoencoder="random", pretrain_epochs=2)
    corpora = tmp_path, *corpora[1:]
    _, few = pretrained(config, corpora)  # meets fewer frames than there are
    assert few.data.latents is None and sum(small) == 2 * 2 * 5 and "latents" not in capsys.readouterr().err
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 70_000))
    _, full = pretrained(replace(config, pretrain_epochs=12), corpora)
    assert full.data.latents is None and full.history[:2] == few.history[:2]
    assert "takes 0.00 of 0.00 GiB free: it is not kept" in capsys.readouterr().err
