"""Losses and networks of the released codes, DVSPAT (student, distillation) and MLCR (teacher), by golden numbers."""

import numpy as np
import pytest
import torch
from oracles import golden, recipe, released_weights, worst

from dvasp import DualView, selective_weights
from dvasp.losses import (
    RATIOS,
    Output,
    asp_loss,
    at_loss,
    co_regularization_loss,
    fit_loss,
    multi_view_loss,
    sp_loss,
    student_loss,
    student_view_loss,
    teacher_loss,
    teacher_view_loss,
)

LOSSES = {
    "spat": lambda T, S: asp_loss(T, S, follow="release"),
    "sp": lambda T, S: sp_loss(T, S, follow="release"),
    "at": lambda T, S: at_loss(T, S, follow="release"),
    "hint": fit_loss,
}
METHODS = {"spat": "ASP", "sp": "SP", "at": "AT", "hint": "Fit"}


def normal(arrays, j, shape, dtype=torch.float64):
    return torch.tensor(recipe.normal(int(arrays["seed"]), j, tuple(shape))).to(dtype)


def near(value, reference, bound):
    assert worst(torch.as_tensor(value), reference) < bound


@pytest.mark.parametrize(("dtype", "bound", "norm_bound"), [(torch.float64, 1e-9, 1e-9), (torch.float32, 1e-5, 1e-2)])
@pytest.mark.parametrize("case", range(3))
def test_distillation_of_one_layer(case, dtype, bound, norm_bound):
    arrays = golden("dvasp_distillation")
    T = normal(arrays, 2 * case + 1, arrays[f"case{case}_teacher"], dtype)
    for name, loss in LOSSES.items():
        if f"case{case}_{name}" in arrays:
            S = normal(arrays, 2 * case, arrays[f"case{case}_student"], dtype).requires_grad_()
            value = loss(T, S)
            value.backward()
            near(value, arrays[f"case{case}_{name}"], bound)
            near(S.grad.norm(), arrays[f"case{case}_{name}_grad_norm"], norm_bound)


@pytest.fixture
def combination():
    """(arrays, the student's output, the teacher's, labels): two views of five layers; conv1 keeps its signs."""
    arrays = golden("dvasp_combination")
    B = int(arrays["B"])
    maps = [
        [
            normal(arrays, 100 * v + i, (B, *shape)).clamp(min=-torch.inf if i == 0 else 0)
            for i, shape in enumerate(arrays["layers"])
        ]
        for v in range(4)
    ]
    z = torch.stack([normal(arrays, 1000 + v, (B, 8, 2)) for v in (0, 1)])
    W = torch.ones(2, 1, 1)
    return arrays, Output(z, z.mean(0), W, maps[:2]), Output(None, None, None, maps[2:]), torch.tensor(arrays["labels"])


def test_distillation_of_two_views_and_five_layers(combination):
    arrays, student, teacher, p = combination
    for name in ("spat", "sp", "at"):
        views = zip(teacher.features, student.features, strict=True)
        each = torch.stack([torch.stack([LOSSES[name](T, S) for T, S in zip(*A, strict=True)]) for A in views])
        near(each, arrays[f"{name}_per_view_and_layer"], 1e-9)
    for name, method in METHODS.items():
        terms = student_loss(student, p, teacher, method=method, follow="release")
        near(terms[f"L_{method.lower()}"], 100 * arrays[f"{name}_kd"].sum(), 1e-9)


def test_all_terms_of_the_student_together(combination):
    """Without the slip of the release, which takes the fused value of the seventh AU for the first view's."""
    arrays, student, teacher, p = combination
    for logits, name in zip((*student.views, student.fused), ("view1", "view2", "fused"), strict=True):
        each = torch.stack([student_view_loss(logits[:, [i]], p[:, [i]]) for i in range(8)])
        near(each, arrays[f"ce_{name}"], 1e-9)
    terms = student_loss(student, p, teacher, follow="release")  # multi_view_loss of these W is 1
    near(terms["L_v"], arrays["ce_view1"].mean() + arrays["ce_view2"].mean(), 1e-9)
    terms["L_mv"] = terms["L_mv"] * arrays["orth_given"]
    near(sum(terms.values()), arrays["total_without_the_slip"], 1e-9)


def test_the_student_network():
    arrays = golden("dvasp_student")
    weights = released_weights(arrays)
    assert sum(v.double().abs().sum().item() for v in weights.values()) == pytest.approx(arrays["weights_abs_sum"])
    net = DualView(8, follow="release", statistics="none").eval()
    state = {}
    for v in (0, 1):
        of = {k.partition(".")[2]: w for k, w in weights.items() if k.startswith(f"kd_net{v + 1}.")}
        state |= {f"trunks.{v}.{k}": w for k, w in of.items() if f"trunks.{v}.{k}" in net.state_dict()}
        for part in ("weight", "bias"):
            state[f"FC.{v}.{part}"] = torch.cat([of[f"fc{i}.{part}"] for i in range(1, 9)])
    net.load_state_dict(state)
    with torch.no_grad():
        output = net(normal(arrays, 0, arrays["x_shape"], torch.float32))
    for v in (0, 1):
        near(output.views[v], arrays[f"view{v + 1}_logits"], 1e-4)
        maps = output.features[v]
        assert [list(A.shape[1:]) for A in maps] == arrays["maps_shapes"].tolist()
        near(torch.stack([A.double().flatten(1).norm(dim=1) for A in maps], 1), arrays[f"view{v + 1}_maps_norm"], 1e-4)
        near(torch.stack([A.double().mean((1, 2, 3)) for A in maps], 1), arrays[f"view{v + 1}_maps_mean"], 1e-4)
    near(output.fused, arrays["fused_logits"], 1e-4)
    W = output.W.double()
    near(multi_view_loss(*W), arrays["orth_own_bias"], 1e-9)
    each = torch.stack([multi_view_loss(*W[:, 2 * i : 2 * i + 2]) for i in range(8)])
    near(each, arrays["orth_per_au_own_bias"], 1e-9)


@pytest.fixture
def co_training():
    """(arrays, logits of the views, [weights, bias] of their classifiers, labels with NaN where none is known)."""
    arrays = golden("dvasp_teacher_losses")
    B, seed = int(arrays["B"]), int(arrays["seed"])
    z = torch.stack([normal(arrays, j, (B, 12), torch.float32) * float(arrays["sharpness"]) for j in (1, 2)]).double()
    W = [
        np.column_stack(
            [
                recipe.normal(seed, 3 + v, (12, 512)) / np.float32(np.sqrt(512)),
                recipe.normal(seed, 5 + v, (12,)) * np.float32(0.1),
            ]
        )
        for v in (0, 1)
    ]
    labels = torch.tensor(arrays["labels"], dtype=torch.float64)
    return arrays, z, torch.tensor(np.stack(W)).double(), ((labels + 1) / 2).masked_fill(labels == 0, torch.nan)


def test_selective_weights(co_training):
    arrays, _, _, p = co_training
    assert tuple(arrays["weights_target"]) == RATIOS
    a = selective_weights(p, tuple(arrays["weights_target"]))
    assert (p == 1).sum(0).tolist() == arrays["positives"].tolist()
    assert (p == 0).sum(0).tolist() == arrays["negatives"].tolist()
    assert (a * (p == 0)).sum(0).tolist() == arrays["negatives_kept"].tolist()
    assert (a[p == 1] == 1).all() and (a[p.isnan()] == 0).all()


def test_all_terms_of_the_teacher(co_training):
    arrays, z, W, p = co_training
    a = torch.stack([torch.tensor(arrays[name]).double() for name in ("mask1", "mask2")])
    for v in (0, 1):
        near(teacher_view_loss(z[v], p, a[v], follow="release"), arrays[f"bce_view{v + 1}"], 1e-7)  # a float32 number
    near(multi_view_loss(*W), arrays["L_mv"], 1e-9)
    near(co_regularization_loss(*z, follow="release"), arrays["L_cr"], 1e-9)
    near(co_regularization_loss(*z), arrays["exact_jensen_shannon"], 1e-9)
    terms = teacher_loss(Output(z, None, W, []), p, a, follow="release")
    near(sum(terms.values()), arrays["total_fusion_mode_0"], 1e-7)
