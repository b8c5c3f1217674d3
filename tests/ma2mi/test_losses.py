import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ma2mi.losses import L_1, L_2, L_3, draw_tau, position_loss, reconstruction_loss, spatial_transform


def features(seed=0, batch=2, C=5, H=3, W=4):
    return torch.randn(batch, C, H, W, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def eq_2(F_p):
    """Eq. (2) of one face, pair by pair."""
    vectors = F_p.flatten(1).T
    HW = len(vectors)
    return sum(cosine(vectors[i], vectors[j]) for i in range(HW) for j in range(HW) if j != i) / (HW * (HW - 1))


def eq_3(F_1, F_2):
    """Eqs. (3) and (4) of two faces, pair by pair."""
    one, two = F_1.flatten(1).T, F_2.flatten(1).T
    HW = len(one)
    first = second = 0.0
    for i in range(HW):
        similarity = [cosine(one[i], two[j]) for j in range(HW)]
        j_star = similarity.index(max(similarity))
        first += sum(s for j, s in enumerate(similarity) if j != j_star)
        second += similarity[j_star]
    return first / (HW * (HW - 1)) - second / HW


@given(seed=st.integers(0, 999), H=st.integers(1, 3), W=st.integers(2, 3))
@settings(max_examples=10, deadline=None)
def test_L_1_and_L_2_are_their_equations(seed, H, W):
    F_1, F_2 = features(seed, H=H, W=W), features(seed + 1000, H=H, W=W)
    assert float(L_1(F_1)) == pytest.approx(sum(map(eq_2, F_1)) / 2, abs=1e-12)
    assert float(L_2(F_1, F_2)) == pytest.approx(sum(map(eq_3, F_1, F_2)) / 2, abs=1e-12)


def test_L_1_and_L_2_at_their_ends():
    alike = torch.ones(1, 5, 3, 4)
    apart = torch.eye(12).view(1, 12, 3, 4)
    shuffled = apart.flatten(2)[:, :, torch.randperm(12)].view_as(apart)
    assert float(L_1(alike)) == pytest.approx(1, abs=1e-6)
    assert float(L_2(alike, alike)) == pytest.approx(0, abs=1e-6)
    assert float(L_1(apart)) == 0
    assert float(L_2(apart, shuffled)) == -1


def test_gradients():
    F_1, F_2 = features().requires_grad_(), features(1).requires_grad_()
    tau = draw_tau(2, torch.Generator().manual_seed(0)).double()
    assert torch.autograd.gradcheck(L_1, F_1)
    assert torch.autograd.gradcheck(L_2, (F_1, F_2))
    square = features(2, H=4).requires_grad_()
    inside = torch.ones(2, 4, 4, dtype=torch.double)
    for norm in ("position", "map"):
        assert torch.autograd.gradcheck(
            lambda a, b, norm=norm: L_3(a, b, inside, norm=norm), (square, square.detach() * 2)
        )
    assert torch.autograd.gradcheck(lambda x: spatial_transform(x, tau)[0], square)


def test_dead_positions_give_finite_gradients():
    F_p = features().requires_grad_()
    dead = F_p * (torch.arange(4) > 0)
    (L_1(dead) + L_2(dead, dead.roll(1, 0)) + L_3(dead, dead, torch.ones(2, 3, 4))).backward()
    assert F_p.grad.isfinite().all()


def test_L_3_is_its_equation():
    a, b = features(0), features(1)
    inside = (torch.arange(24).view(2, 3, 4) % 5 > 0).double()
    lengths, squares = [], [0.0, 0.0]
    for n, y, x in inside.nonzero().tolist():
        d = a[n, :, y, x] - b[n, :, y, x]
        lengths.append(math.sqrt(float(d @ d)))
        squares[n] += float(d @ d)
    assert float(L_3(a, b, inside)) == pytest.approx(sum(lengths) / len(lengths), abs=1e-12)
    assert float(L_3(a, b, inside, norm="map")) == pytest.approx(sum(map(math.sqrt, squares)) / 2, abs=1e-12)
    with pytest.raises(ValueError, match="'position' or 'map', not 'mean'"):
        L_3(a, b, inside, norm="mean")


def test_transform_is_the_affine_map_of_torch():
    x = features(3, batch=6, H=7, W=7)
    tau = draw_tau(6, torch.Generator().manual_seed(4))
    grid = F.affine_grid(tau.double(), list(x.shape), align_corners=False)
    expected = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    moved, inside = spatial_transform(x, tau)
    torch.testing.assert_close(moved, expected)
    assert (inside == ((grid >= -1) & (grid <= 1)).all(3)).all()


def test_transform_by_hand():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    moved, inside = spatial_transform(x, quarter)
    assert moved.tolist() == x.rot90(1, (2, 3)).tolist() and inside.all()
    one_column = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]]])  # a quarter of the side, one position of four
    moved, inside = spatial_transform(x, one_column)
    assert moved[0, 0, :, :3].tolist() == x[0, 0, :, 1:].tolist()
    assert inside[0].tolist() == [[1, 1, 1, 0]] * 4


def test_drawn_transforms_keep_their_ranges():
    tau = draw_tau(2000, torch.Generator().manual_seed(0))
    rotation, shift = tau[:, :, :2], tau[:, :, 2]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(2).expand(2000, 2, 2))
    degrees = torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0]).rad2deg()
    assert -15 <= degrees.min() < -14.8 and 14.8 < degrees.max() <= 15
    assert -0.2 <= shift.min() < -0.198 and 0.198 < shift.max() <= 0.2
    assert (tau == draw_tau(2000, torch.Generator().manual_seed(0))).all()


def test_position_loss_of_an_encoder():
    torch.manual_seed(0)
    E_p = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1), nn.Tanh()).double()
    I = features(0, batch=3, C=3, H=16, W=16)
    tau = draw_tau(3, torch.Generator().manual_seed(0))
    F_p = E_p(I).detach()
    terms = position_loss(E_p, I, tau)
    assert terms == position_loss(E_p, I, tau, F_p=F_p)
    sum(terms.values()).backward()
    assert E_p[0].weight.grad.abs().sum() > 0
    terms = {name: float(term.detach()) for name, term in terms.items()}
    assert terms["L_1"] == pytest.approx(sum(map(eq_2, F_p)) / 3, abs=1e-12)
    pairs = [eq_3(F_p[n], F_p[(n - 1) % 3]) for n in range(3)]
    assert terms["L_2"] == pytest.approx(sum(pairs) / 3, abs=1e-12)
    moved, inside = spatial_transform(F_p, tau)
    F_of_tau = E_p(spatial_transform(I, tau)[0]).detach()
    assert terms["L_3"] == pytest.approx(float(L_3(F_of_tau, moved, inside)), abs=1e-12)


def test_L_3_of_an_equivariant_encoder_vanishes():
    """Pooling commutes with a shift by a whole position, so only masked positions differ."""
    I = features(0, C=3, H=16, W=16)
    one_position = torch.tensor([[[1.0, 0, 0.5], [0, 1, -0.5]]]).expand(2, 2, 3)
    terms = position_loss(lambda I: F.avg_pool2d(I, 4), I, one_position)
    assert float(terms["L_3"]) == pytest.approx(0, abs=1e-12)


def test_one_face_is_refused():
    with pytest.raises(ValueError, match="two different faces"):
        position_loss(nn.Identity(), torch.ones(1, 3, 4, 4), torch.eye(2, 3)[None])


def test_reconstruction_loss_is_the_mean_absolute_difference():
    assert float(reconstruction_loss(torch.tensor([[1.0, -2], [0, 4]]), torch.tensor([[0.0, 1], [0, 2]]))) == 1.5
