"""Eqs. (5)-(10) against loops over samples and classes in float64."""

import math

import pytest
import torch

from skd_tstsan.config import Config
from skd_tstsan.losses import class_weights, feature_loss, focal_loss, kl_loss, skd_loss
from skd_tstsan.train import alpha_of, criterion

B, K = 6, 4
GENERATOR = torch.Generator().manual_seed(0)
Z = [3 * torch.randn(B, K, generator=GENERATOR, dtype=torch.float64) for _ in range(3)]
FEATURES = [torch.randn(B, 384, generator=GENERATOR, dtype=torch.float64).relu() for _ in range(3)]
Y = torch.tensor([0, 1, 2, 3, 1, 1])
ALPHA = torch.tensor([0.1, 0.5, 0.15, 0.25], dtype=torch.float64)


def q(z, T):
    """Eq. (5)."""
    e = [math.exp(v / T) for v in z.tolist()]
    return [v / sum(e) for v in e]


def focal(z, alpha, gamma, follow="release"):
    total = weight = 0.0
    for b in range(B):
        for k, p in enumerate(q(z[b], 1)):
            t = float(k == Y[b])
            total -= alpha[k] * (1 - p) ** gamma * t * math.log(p)
            weight += alpha[k] * t
    return total / (weight if follow == "release" else B)


def kl(z_i, z_C, T):
    return (
        sum(T**2 * c * math.log(c / i) for b in range(B) for i, c in zip(q(z_i[b], T), q(z_C[b], T), strict=True)) / B
    )


def l2(f_i, f_C):
    return sum(sum((i - c) ** 2 for i, c in zip(f_i[b].tolist(), f_C[b].tolist(), strict=True)) for b in range(B))


@pytest.mark.parametrize("follow", ["release", "paper"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss(gamma, follow):
    kind = dict(gamma=gamma, follow=follow)
    assert focal_loss(Z[0], Y, ALPHA, **kind).item() == pytest.approx(focal(Z[0], ALPHA.tolist(), **kind))
    assert focal_loss(Z[0], Y, **kind).item() == pytest.approx(focal(Z[0], [1.0] * K, **kind))
    torch.testing.assert_close(
        focal_loss(Z[0], Y, 7 * ALPHA, **kind) / focal_loss(Z[0], Y, ALPHA, **kind),
        torch.tensor(1.0 if follow == "release" else 7.0, dtype=torch.float64),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_focal_loss_of_sure_answers(gamma, dtype):
    """Of a certain answer 0 with no gradient; of a certainly wrong one the cross-entropy, whatever gamma."""
    z = torch.tensor([[200.0, -200.0]], dtype=dtype, requires_grad=True)
    for y in (0, 1):
        loss = focal_loss(z, torch.tensor([y]), gamma=gamma)
        assert loss.item() == pytest.approx(400.0 * y)
        (gradient,) = torch.autograd.grad(loss, z)
        torch.testing.assert_close(gradient, y * torch.tensor([[1.0, -1.0]], dtype=dtype))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gradient_of_the_focal_loss(gamma):
    z = Z[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: focal_loss(z, Y, ALPHA, gamma=gamma), z)


def test_classes_of_no_weight_cost_nothing():
    z = Z[0].clone().requires_grad_()
    focal_loss(z, torch.zeros_like(Y), torch.tensor([0.0, 1, 1, 1], dtype=torch.float64)).backward()
    assert (z.grad == 0).all()


@pytest.mark.parametrize("T", [1.0, 3.0])
def test_kl_loss(T):
    assert kl_loss(Z[0], Z[1], T=T).item() == pytest.approx(kl(Z[0], Z[1], T))
    assert kl_loss(Z[0], Z[0] + 5, T=T).item() == pytest.approx(0, abs=1e-12)


def test_feature_loss():
    assert feature_loss(*FEATURES[:2]).item() == pytest.approx(l2(*FEATURES[:2]))
    assert feature_loss(*FEATURES[:2], follow="paper").item() == pytest.approx(l2(*FEATURES[:2]) / B)


def test_a_class_that_is_missing_takes_no_weight_from_the_others():
    weights = alpha_of(torch.tensor([0, 2, 2, 2, 2, 0]), 4)  # 1/2 and 1/4 of classes 0 and 2
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 0, 1 / 3, 0]))


def test_class_weights():
    torch.testing.assert_close(class_weights([1, 2, 4]), torch.tensor([4 / 7, 2 / 7, 1 / 7]))
    with pytest.raises(ValueError, match=r"\[3, 0\]"):
        class_weights([3, 0])


def test_skd_loss():
    terms = skd_loss(Z, FEATURES, Y, ALPHA, lambda_1=0.3, lambda_2=1e-3, T=2.0)
    alpha, expected = ALPHA.tolist(), 0.0
    for i in range(3):
        lambda_1, lambda_2 = (0.0, 0.0) if i == 2 else (0.3, 1e-3)
        expected += (1 - lambda_1) * focal(Z[i], alpha, 2.0)
        expected += lambda_1 * kl(Z[i], Z[2], 2.0) + lambda_2 * l2(FEATURES[i], FEATURES[2])
    assert sum(terms.values()).item() == pytest.approx(expected)
    assert list(terms) == ["focal", "focal auxiliary", "kl", "l2"]


@pytest.mark.parametrize("follow", ["release", "paper"])
def test_the_loss_of_training_has_the_settings_of_its_config(follow):
    config = Config(gamma=1.5, T=4.0, lambda_1=0.3, lambda_2=1e-2, follow=follow)
    terms = criterion(lambda x: (Z, FEATURES), torch.empty(B), Y, ALPHA, config)
    auxiliary, alpha, count = range(2), ALPHA.tolist(), B if follow == "paper" else 1
    expected = {
        "focal": focal(Z[2], alpha, 1.5, follow),
        "focal auxiliary": 0.7 * sum(focal(Z[i], alpha, 1.5, follow) for i in auxiliary),
        "kl": 0.3 * sum(kl(Z[i], Z[2], 4) for i in auxiliary),
        "l2": 1e-2 * sum(l2(FEATURES[i], FEATURES[2]) for i in auxiliary) / count,
    }
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)


def test_the_deepest_classifier_learns_from_labels_alone():
    z, f = ([x.clone().requires_grad_() for x in xs] for xs in (Z, FEATURES))
    sum(skd_loss(z, f, Y, ALPHA).values()).backward()
    alone = Z[2].clone().requires_grad_()
    focal_loss(alone, Y, ALPHA).backward()
    torch.testing.assert_close(z[2].grad, alone.grad)
    assert f[2].grad is None and all(x.grad.abs().sum() > 0 for x in (*z[:2], *f[:2]))


NONE = torch.zeros(0, K)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: focal_loss(NONE, Y[:0]), r"\(0, 4\).*at least one sample"),
        (lambda: kl_loss(NONE, NONE), "at least one sample"),
        (lambda: feature_loss(NONE, NONE), "at least one sample"),
        (lambda: skd_loss(NONE[None], NONE[None], Y[:0]), "at least one sample"),
        (lambda: skd_loss(Z[0], FEATURES[0], Y), r"expected \(B, n\)"),  # tensors, where a sequence of them is meant
        (lambda: skd_loss([], [], Y), "0 logits and 0 features"),
        (lambda: skd_loss(Z, FEATURES[:2], Y), "3 logits and 2 features"),
        (lambda: focal_loss(Z[0], Y[:2]), r"\(2,\).*\(6,\) int64 from 0 to 3"),
        (lambda: focal_loss(Z[0], Y + 1), r"\[.*4.*\].* from 0 to 3"),
        (lambda: focal_loss(Z[0], Y - 100), "-100.* from 0 to 3"),
        (lambda: focal_loss(Z[0], Y.double()), "float64"),
        (lambda: focal_loss(Z[0], Y, ALPHA[:2]), "4 weights"),
        (lambda: focal_loss(Z[0], Y, -ALPHA), "4 weights of 0 or more"),
        (lambda: focal_loss(Z[0], Y, gamma=-1.0), "gamma"),
        (lambda: focal_loss(Z[0], Y, follow="papers"), "papers"),
        (lambda: kl_loss(Z[0], Z[1][:1]), r"\(6, 4\) and \(1, 4\)"),
        (lambda: kl_loss(Z[0], Z[1], T=0.0), "T=0.0: expected a temperature above 0"),
        (lambda: feature_loss(FEATURES[0], FEATURES[1][0]), r"\(6, 384\) and \(384,\)"),
        (lambda: feature_loss(*FEATURES[:2], follow="papers"), "papers"),
        (lambda: class_weights([]), r"\[\]"),
    ],
)
def test_what_does_not_belong_together(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_classifier():
    terms = skd_loss(Z[2:], FEATURES[2:], Y, ALPHA)
    assert list(terms) == ["focal"] and terms["focal"].item() == pytest.approx(focal(Z[2], ALPHA.tolist(), 2.0))
