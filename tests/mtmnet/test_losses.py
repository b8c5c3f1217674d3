"""Eq. (1)-(12) against loops in float64, written from the paper's text."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtmnet.losses import (
    adversarial_losses,
    eid_losses,
    expression_loss,
    identity_loss,
    lir_loss,
    mtm_losses,
    reconstruction_loss,
    similarity_loss,
    triplet_loss,
)
from mtmnet.model import EIDOutput, MTMOutput

seeds = st.integers(0, 10_000)


def draw(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, dtype=torch.double, generator=generator) for shape in shapes]


def labels(seed, count, classes):
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def mean(values):
    return sum(values) / len(values)


def length(values):
    return math.sqrt(sum(v * v for v in values))


def difference(a, b):
    return [u - v for u, v in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)]


def cross_entropy(logits, label):
    """−Σ 1[label = m] log p_m for one sample."""
    exponentials = [math.exp(z) for z in logits.tolist()]
    return -math.log(exponentials[label] / sum(exponentials))


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def eq_6(f_anc, f_pos, f_neg, m, normalise=False):
    def vector(f):
        f = f.flatten().tolist()
        return [v / length(f) for v in f] if normalise else f

    anc, pos, neg = vector(f_anc), vector(f_pos), vector(f_neg)
    d_pos = length([a - p for a, p in zip(anc, pos, strict=True)])
    d_neg = length([a - n for a, n in zip(anc, neg, strict=True)])
    return max(d_pos - d_neg + m, 0)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_distances_of_eq_1_and_2(seed):
    a, b = draw(seed, (3, 4, 2, 5), (3, 4, 2, 5))
    mean_square = mean([d * d for d in difference(a, b)])
    euclidean = mean([length(difference(u, v)) for u, v in zip(a, b, strict=True)])
    for loss in similarity_loss, reconstruction_loss:
        assert loss(a, b).item() == pytest.approx(mean_square, rel=1e-12)
        assert loss(a, b, norm="euclidean").item() == pytest.approx(euclidean, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_cross_entropies_of_eq_3_4_and_10(seed):
    (logits,) = draw(seed, (6, 4))
    y = labels(seed, 6, 4)
    expected = mean([cross_entropy(z, label) for z, label in zip(logits, y.tolist(), strict=True)])
    for loss in identity_loss, expression_loss:
        assert loss(logits, y).item() == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_eq_5_is_the_weighted_sum_with_the_identity_term_taken_off(seed):
    f_E_e, f_E_s, f_N_s, x_hat, x_E, expression, identity = draw(seed, *[(3, 2, 2, 2)] * 5, (3, 5), (3, 7))
    y, s = labels(seed, 3, 5), labels(seed + 1, 3, 7)
    out = EIDOutput(x_E, f_E_e, f_E_s, f_N_s, x_hat, expression)
    terms = eid_losses(out, identity, y, s, lambda_rec=0.3, lambda_sim=0.5, lambda_s=0.7)
    L_c = mean([cross_entropy(z, label) for z, label in zip(expression, y.tolist(), strict=True)])
    L_s = mean([cross_entropy(z, label) for z, label in zip(identity, s.tolist(), strict=True)])
    L_rec = mean([d * d for d in difference(x_E, x_hat)])
    L_sim = mean([d * d for d in difference(f_E_s, f_N_s)])
    assert sum(terms.values()).item() == pytest.approx(L_c + 0.3 * L_rec + 0.5 * L_sim - 0.7 * L_s, rel=1e-10)
    assert terms["L_s"].item() == pytest.approx(-0.7 * L_s, rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, margin=st.floats(0, 2), normalise=st.booleans())
def test_eq_6(seed, margin, normalise):
    f_anc, f_pos, f_neg = draw(seed, *[(4, 3, 2, 2)] * 3)
    expected = mean([eq_6(*triplet, margin, normalise) for triplet in zip(f_anc, f_pos, f_neg, strict=True)])
    found = triplet_loss(f_anc, f_pos, f_neg, margin=margin, normalise=normalise)
    assert found.item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_eq_6_as_printed_is_the_default_and_the_library_triplet_loss():
    f_anc, f_pos, f_neg = draw(0, *[(5, 3, 2, 2)] * 3)
    library = torch.nn.TripletMarginLoss(margin=2.0, eps=0)(f_anc.flatten(1), f_pos.flatten(1), f_neg.flatten(1))
    assert triplet_loss(f_anc, f_pos, f_neg, margin=2.0).item() == pytest.approx(library.item())


def test_eq_6_has_a_gradient_where_anchor_and_positive_coincide():
    f_anc, f_neg = draw(0, (2, 3, 2, 2), (2, 3, 2, 2))
    f_pos, f_anc = f_anc.clone(), f_anc.requires_grad_()
    triplet_loss(f_anc, f_pos, f_neg, margin=20.0).backward()
    assert torch.isfinite(f_anc.grad).all() and f_anc.grad.abs().sum() > 0


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_eq_8_and_9(seed):
    real, fake = draw(seed, (6,), (6,))
    L_D, L_adv = adversarial_losses(real, fake)
    expected = mean([-math.log(sigmoid(r)) - math.log(1 - sigmoid(f)) for r, f in zip(real, fake, strict=True)])
    assert L_D.item() == pytest.approx(expected, rel=1e-10)
    assert L_adv.item() == pytest.approx(mean([-math.log(sigmoid(f)) for f in fake]), rel=1e-10)


def test_the_gradient_of_eq_9_does_not_flatten_where_that_of_eq_7_does():
    fake = torch.tensor([-20.0], dtype=torch.double, requires_grad=True)  # D is sure that the anchor is not macro
    (flat,) = torch.autograd.grad(torch.log(1 - torch.sigmoid(fake)).sum(), fake)
    (steep,) = torch.autograd.grad(adversarial_losses(fake.detach(), fake)[1], fake)
    assert abs(flat.item()) < 1e-8
    assert steep.item() == pytest.approx(-1)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_eq_11(seed):
    logits, logits_pos = draw(seed, (5, 3), (5, 3))
    y = labels(seed, 5, 3)
    L_cls = [cross_entropy(z, label) for z, label in zip(logits, y.tolist(), strict=True)]
    L_cls_pos = [cross_entropy(z, label) for z, label in zip(logits_pos, y.tolist(), strict=True)]
    batch = max(mean(L_cls) - mean(L_cls_pos), 0)
    sample = mean([max(a - b, 0) for a, b in zip(L_cls, L_cls_pos, strict=True)])
    assert lir_loss(logits, logits_pos, y).item() == pytest.approx(batch, rel=1e-10, abs=1e-12)
    assert lir_loss(logits, logits_pos, y, per="sample").item() == pytest.approx(sample, rel=1e-10, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_eq_12_keeps_anchors_without_a_positive_out_of_the_macro_terms(seed):
    f_anc, f_pos, f_neg, expression, expression_pos, real, fake = draw(
        seed, *[(2, 3, 2, 2)] * 3, (5, 4), (2, 4), (2,), (2,)
    )
    y, guided = labels(seed, 5, 4), torch.tensor([False, True, False, False, True])
    out = MTMOutput(f_anc, f_pos, f_neg, expression, expression_pos, guided)
    terms = mtm_losses(out, real, fake, y, margin=0.4, lambda_tri=0.3, lambda_adv=0.5, lambda_lir=0.7)
    L_cls = [cross_entropy(z, label) for z, label in zip(expression, y.tolist(), strict=True)]
    L_cls_pos = [cross_entropy(expression_pos[0], y[1]), cross_entropy(expression_pos[1], y[4])]
    L_tri = mean([eq_6(*triplet, 0.4) for triplet in zip(f_anc, f_pos, f_neg, strict=True)])
    L_adv = mean([-math.log(sigmoid(f)) for f in fake])
    L_LIR = max(mean([L_cls[1], L_cls[4]]) - mean(L_cls_pos), 0)
    expected = mean(L_cls) + 0.3 * L_tri + 0.5 * L_adv + 0.7 * L_LIR
    assert sum(terms.values()).item() == pytest.approx(expected, rel=1e-10)


def test_eq_12_of_a_batch_without_any_positive_is_the_classification_loss():
    empty, expression = torch.zeros(0, 3, 2, 2), torch.randn(4, 3)
    out = MTMOutput(empty, empty, empty, expression, torch.zeros(0, 3), torch.zeros(4, dtype=torch.bool))
    terms = mtm_losses(out, torch.zeros(0), torch.zeros(0), torch.tensor([0, 1, 2, 0]))
    assert list(terms) == ["L_cls"]


def test_an_empty_batch_has_no_loss():
    f, logits, y = torch.zeros(0, 3, 2, 2), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    for loss in (
        lambda: similarity_loss(f, f),
        lambda: similarity_loss(f, f, norm="euclidean"),
        lambda: reconstruction_loss(f, f),
        lambda: identity_loss(logits, y),
        lambda: expression_loss(logits, y),
        lambda: triplet_loss(f, f, f),
        lambda: adversarial_losses(logits[:, 0], logits[:, 0]),
        lambda: lir_loss(logits, logits, y),
        lambda: lir_loss(logits, logits, y, per="sample"),
    ):
        with pytest.raises(ValueError, match="an empty batch has no mean loss"):
            loss()


def test_tensors_that_do_not_belong_together_are_not_broadcast():
    f, one, logits, y = torch.zeros(4, 3, 2, 2), torch.zeros(1, 3, 2, 2), torch.zeros(4, 3), torch.arange(4) % 3
    for loss in (lambda: similarity_loss(f, one), lambda: triplet_loss(f, one, f), lambda: triplet_loss(f, f, one)):
        with pytest.raises(ValueError, match=r"\(1, 3, 2, 2\).*expected the same shape"):
            loss()
    with pytest.raises(ValueError, match=r"logits \(4, 3\), logits_pos \(4, 5\): expected the same shape"):
        lir_loss(logits, torch.zeros(4, 5), y)
    for label, message in ((y[:3], r"expected \(B, K\), \(B,\)"), (y + 1, "labels 1 to 3 for 3 logits")):
        with pytest.raises(ValueError, match=message):
            expression_loss(logits, label)
    with pytest.raises(ValueError, match="labels -100 to 2 for 3 logits"):
        identity_loss(logits, torch.tensor([0, 1, 2, -100]))


def test_an_unknown_word_is_named():
    a, y = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="'l1'.*'mean_square' or 'euclidean'"):
        similarity_loss(a, a, norm="l1")
    with pytest.raises(ValueError, match="'fold'.*'batch' or 'sample'"):
        lir_loss(a, a, y, per="fold")
