import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

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
    torch.manual_seed(0)
    assert (tau == draw_tau(2000)).all(), "by default from torch's own generator"


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


@pytest.mark.parametrize("H, W", [(6, 9), (9, 4), (1, 5)])
def test_maps_that_are_not_square_rotate_in_pixels(H, W):
    """By hand: where each position comes from in pixels about the centre, then bilinear, position by position."""
    x, tau = features(5, batch=3, H=H, W=W), draw_tau(3, torch.Generator().manual_seed(1)).double()
    moved, inside = spatial_transform(x, tau)
    for n in range(3):
        (a, b, c), (d, e, f) = tau[n].tolist()
        for row in range(H):
            for column in range(W):
                half, right, down = max(H, W) / 2, column - (W - 1) / 2, row - (H - 1) / 2
                u = a * right + b * down + c * half + (W - 1) / 2
                v = d * right + e * down + f * half + (H - 1) / 2
                assert bool(inside[n, row, column]) == (-0.5 <= u <= W - 0.5 and -0.5 <= v <= H - 0.5)
                u, v = min(max(u, 0), W - 1), min(max(v, 0), H - 1)
                u0, v0 = min(int(u), max(W - 2, 0)), min(int(v), max(H - 2, 0))
                u1, v1 = min(u0 + 1, W - 1), min(v0 + 1, H - 1)
                top = x[n, :, v0, u0] * (1 - u + u0) + x[n, :, v0, u1] * (u - u0)
                bottom = x[n, :, v1, u0] * (1 - u + u0) + x[n, :, v1, u1] * (u - u0)
                torch.testing.assert_close(moved[n, :, row, column], top * (1 - v + v0) + bottom * (v - v0))


@pytest.mark.parametrize("H, W", [(16, 16), (8, 24), (24, 8)])
def test_L_3_vanishes_under_the_identity(H, W):
    identity = torch.eye(2, 3).expand(2, 2, 3)
    terms = position_loss(lambda I: F.avg_pool2d(I, 4), features(0, C=3, H=H, W=W), identity)
    assert float(terms["L_3"]) == pytest.approx(0, abs=1e-12)


def test_L_3_is_0_where_everything_leaves_the_map():
    far = torch.tensor([[[1.0, 0, 5], [0, 1, 0]]]).expand(2, 2, 3)
    assert float(position_loss(lambda I: F.avg_pool2d(I, 4), features(0, C=3, H=16, W=16), far)["L_3"]) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [0.0, 1e-7, 200.0])
def test_losses_and_gradients_are_finite_in_every_precision(dtype, value):
    """Zeros, the smallest numbers, and numbers whose squares leave float16."""
    F_p = torch.full((2, 5, 3, 4), value, dtype=dtype).requires_grad_()
    tau = draw_tau(2, torch.Generator().manual_seed(0))
    terms = [L_1(F_p), L_2(F_p, F_p.flip(3)), reconstruction_loss(F_p, F_p.flip(2))]
    terms += [L_3(F_p.flip(2), *spatial_transform(F_p, tau), norm=norm) for norm in ("position", "map")]
    sum(terms).backward()
    assert all(term.isfinite() for term in terms) and F_p.grad.isfinite().all()
    assert terms[0].item() == pytest.approx(float(value > 0), abs=1e-3)


def test_similarities_are_not_rounded_by_autocast():
    """The j* of Eq. (4) are then those of float32."""
    F_1, F_2 = torch.randn(2, 2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = L_1(F_1), L_2(F_1, F_2)
    assert rounded == (L_1(F_1), L_2(F_1, F_2))


def one(*shape):
    return torch.ones(shape)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: L_1(one(2, 5, 1, 1)), "at least two positions, not \\(2, 5, 1, 1\\)"),
        (lambda: L_2(one(2, 5, 1, 1), one(2, 5, 1, 1)), "at least two positions"),
        (lambda: L_1(one(0, 5, 3, 3)), "not \\(0, 5, 3, 3\\)"),
        (lambda: L_1(one(5, 3, 3)), "not \\(5, 3, 3\\)"),
        (lambda: L_2(one(2, 5, 3, 3), one(1, 5, 3, 3)), "F_1 and F_2 must have the same shape"),
        (lambda: L_3(one(2, 5, 3, 3), one(1, 5, 3, 3), one(2, 3, 3)), "F_of_tau and tau_of_F must have the same shape"),
        (lambda: L_3(one(2, 5, 3, 3), one(2, 5, 3, 3), one(1, 3, 3)), "inside must be \\(2, 3, 3\\)"),
        (lambda: L_3(one(0, 5, 3, 3), one(0, 5, 3, 3), one(0, 3, 3)), "hold something"),
        (lambda: reconstruction_loss(one(2, 4, 8, 8), one(1, 4, 8, 8)), "Z_hat and Z must have the same shape"),
        (lambda: reconstruction_loss(one(0, 4, 8, 8), one(0, 4, 8, 8)), "hold something"),
        (lambda: spatial_transform(one(2, 5, 3, 3), one(1, 2, 3)), "tau \\(B, 2, 3\\), not"),
        (lambda: spatial_transform(one(5, 3, 3), one(5, 2, 3)), "maps \\(B, C, H, W\\)"),
        (lambda: position_loss(nn.Identity(), one(0, 3, 4, 4), one(0, 2, 3)), "the batch holds 0"),
        (lambda: position_loss(nn.AdaptiveAvgPool2d((2, 3)), one(2, 3, 8, 8), one(2, 2, 3)), "maps of 2×3 are not"),
    ],
)
def test_what_would_give_a_wrong_number_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


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
