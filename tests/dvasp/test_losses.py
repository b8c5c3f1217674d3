"""Every equation of the paper against float64 loops written from it: values, and gradients by central differences."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from dvasp import asp_loss, co_regularization_loss, multi_view_loss, selective_weights
from dvasp.losses import (
    RATIOS,
    Output,
    at_loss,
    fit_loss,
    sp_loss,
    student_loss,
    student_view_loss,
    teacher_loss,
    teacher_view_loss,
)

B, C = 5, 3


def double(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def H(p):
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


def eq1(z, p, a):
    """Mean over labelled images, in the paper's words a sum over j = 1..C of one image."""
    losses = []
    for z_b, p_b, a_b in zip(z, p, a, strict=True):
        if np.isnan(p_b).all():
            continue
        total = 0.0
        for j in range(C):
            if not np.isnan(p_b[j]):
                q = sigmoid(z_b[j])
                total += a_b[j] * (p_b[j] * math.log(q) + (1 - p_b[j]) * math.log(1 - q))
        losses.append(-total / C)
    return sum(losses) / len(losses)


def eq2(z_1, z_2):
    total = 0.0
    for x, y in zip(z_1.flat, z_2.flat, strict=True):
        p, q = sigmoid(x), sigmoid(y)
        total += H((p + q) / 2) - (H(p) + H(q)) / 2
    return total / z_1.size


def eq2_released(z_1, z_2):
    def mean_entropy(probabilities, more):
        kept = [p for p in probabilities if 0.001 <= p <= 0.999]
        return -sum((p + more) * math.log(p + more) + (1.001 - p) * math.log(1.001 - p) for p in kept) / len(kept)

    p, q = ([sigmoid(x) for x in z.flat] for z in (z_1, z_2))
    mean = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return abs(mean_entropy(mean, 0.001) - (mean_entropy(p, 0) + mean_entropy(q, 0)) / 2)


def eq3(W_1, W_2):
    total = 0.0
    for u, v in zip(W_1, W_2, strict=True):
        dot = sum(x * y for x, y in zip(u, v, strict=True))
        total += abs(dot / math.sqrt(sum(x * x for x in u)) / math.sqrt(sum(y * y for y in v)))
    return total / len(W_1)


def eq5(z, p):
    losses = []
    for z_b, p_b in zip(z, p, strict=True):
        for z_j, p_j in zip(z_b, p_b, strict=True):
            q = math.exp(z_j[1]) / (math.exp(z_j[0]) + math.exp(z_j[1]))
            losses.append(-(p_j * math.log(q) + (1 - p_j) * math.log(1 - q)))
    return sum(losses) / len(losses)


def eq9(A):
    _, K, h, w = A.shape
    return [[[sum(abs(image[k, y, x]) ** 2 for k in range(K)) for x in range(w)] for y in range(h)] for image in A]


def eq11(A, released):
    Q = []
    for image, At in zip(A, np.array(eq9(A)), strict=True):
        if released:
            At = At / (math.sqrt((At**2).sum()) + 1e-6)
        Q.append([image[k, y, x] * At[y, x] for k, y, x in np.ndindex(*image.shape)])
    return Q


def eq13(Q):
    G = [[sum(x * y for x, y in zip(p, q, strict=True)) for q in Q] for p in Q]
    return [[g / math.sqrt(sum(x * x for x in row)) for g in row] for row in G]


def eq15(A_T, A_S, rows):
    total = 0.0
    for T, S in zip(A_T, A_S, strict=True):
        G_T, G_S, b = eq13(rows(T)), eq13(rows(S)), len(T)
        total += sum((G_T[p][q] - G_S[p][q]) ** 2 for p in range(b) for q in range(b)) / b**2
    return total


def asp_reference(A_T, A_S, released=False):
    return eq15(A_T, A_S, lambda A: eq11(A, released)) / (len(A_T) if released else 1)


def sp_reference(A_T, A_S):
    return eq15(A_T, A_S, lambda A: [image.ravel().tolist() for image in A])


def at_reference(A_T, A_S):
    def maps(A):
        return [np.array(At) / np.linalg.norm(At) for At in eq9(A)]

    return sum(np.mean((np.array(maps(S)) - maps(T)) ** 2) for T, S in zip(A_T, A_S, strict=True))


def fit_reference(A_T, A_S):
    return np.mean([(s - t) ** 2 for s, t in zip(A_S[-1].flat, A_T[-1].flat, strict=True)])


def features(seed, channels=(2, 3)):
    return [double(B, K, 4 - i, 3, seed=seed + i) for i, K in enumerate(channels)]


def assert_agrees(loss, reference, *inputs):
    """Value to 1e-10; gradient against central differences of the reference, at some elements of each input."""
    inputs = [[x.clone().requires_grad_() for x in group] for group in inputs]
    value = loss(*inputs)
    arrays = [[x.detach().numpy().copy() for x in group] for group in inputs]
    assert value.item() == pytest.approx(reference(*arrays), abs=1e-10)
    flat = [x for group in inputs for x in group]
    gradients = torch.autograd.grad(value, flat, materialize_grads=True)
    for array, gradient in zip([x for group in arrays for x in group], gradients, strict=True):
        for at in list(np.ndindex(*array.shape))[:: max(array.size // 4, 1)]:
            kept, ends = array[at], []
            for step in (1e-5, -1e-5):
                array[at] = kept + step
                ends.append(reference(*arrays))
            array[at] = kept
            assert gradient[at].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8)


LABELS = torch.tensor([[1, 0, 1], [0, 0, math.nan], [math.nan] * 3, [0, 1, 0], [math.nan] * 3], dtype=torch.float64)
WEIGHTS = torch.tensor([[1, 0.5, 1], [0, 1, 2], [1, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=torch.float64)
PRESENT = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.float64)


def test_eq_1():
    assert_agrees(
        lambda z: teacher_view_loss(z[0], LABELS, WEIGHTS),
        lambda z: eq1(z[0], LABELS.numpy(), WEIGHTS.numpy()),
        [double(B, C)],
    )


def test_eq_1_of_a_batch_without_labels_is_zero_and_its_gradient_finite():
    z = double(B, C).requires_grad_()
    loss = teacher_view_loss(z, torch.full((B, C), math.nan, dtype=torch.float64), torch.ones(B, C))
    loss.backward()
    assert loss == 0 and (z.grad == 0).all()


@pytest.mark.parametrize(("follow", "reference"), [("paper", eq2), ("release", eq2_released)])
def test_eq_2(follow, reference):
    z_1, z_2 = double(B, C, seed=1) * 3, double(B, C, seed=2) * 3
    z_1[0, 0], z_2[1, 1] = -9.0, 8.0  # p = .0001 and .9997, which the release leaves out of its means
    assert_agrees(lambda z: co_regularization_loss(*z, follow=follow), lambda z: reference(*z), [z_1, z_2])


def test_eq_2_as_released_of_nothing_but_certain_predictions_is_0():
    z = torch.full((2, 3), 9.0, requires_grad=True)
    loss = co_regularization_loss(z, z, follow="release")
    loss.backward()
    assert loss == 0 and (z.grad == 0).all()


def test_eq_2_is_between_0_and_log_2_and_finite_for_certain_predictions():
    z = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    assert co_regularization_loss(z, -z).item() == pytest.approx(math.log(2))
    assert co_regularization_loss(z, z).item() == pytest.approx(0, abs=1e-6)
    co_regularization_loss(z, -z).backward()
    assert z.grad.isfinite().all()


def test_eq_3_and_7():
    assert_agrees(lambda W: multi_view_loss(*W), lambda W: eq3(*W), [double(C, 7, seed=1), double(C, 7, seed=2)])
    assert multi_view_loss(torch.eye(4), torch.eye(4).roll(1, 0)) == 0


@pytest.mark.parametrize("cr_on", ["unlabelled", "all"])
def test_eq_4(cr_on):
    rows = [2, 4] if cr_on == "unlabelled" else slice(None)

    def loss(z, W):
        output = Output(torch.stack(z), None, torch.stack(W), [])
        return sum(teacher_loss(output, LABELS, WEIGHTS, lambda_mv=4, lambda_cr=7, cr_on=cr_on).values())

    def reference(z, W):
        L_v = [eq1(z_i, LABELS.numpy(), WEIGHTS.numpy()) for z_i in z]
        return sum(L_v) / 2 + 4 * eq3(*W) + 7 * eq2(z[0][rows], z[1][rows])

    assert_agrees(loss, reference, [double(B, C, seed=1), double(B, C, seed=2)], [double(C, 4), double(C, 4, seed=3)])


def test_teacher_of_one_view_and_batch_without_unlabelled_images():
    z = double(2, B, C)
    one = teacher_loss(Output(z[:1], None, double(1, C, 4), []), LABELS, WEIGHTS)
    assert one.keys() == {"L_v"} and one["L_v"] == teacher_view_loss(z[0], LABELS, WEIGHTS)
    assert teacher_loss(Output(z, None, double(2, C, 4), []), PRESENT, WEIGHTS)["L_cr"] == 0


def test_eq_5_and_6():
    assert_agrees(lambda z: student_view_loss(z[0], PRESENT), lambda z: eq5(z[0], PRESENT.numpy()), [double(B, C, 2)])


@pytest.mark.parametrize(("follow", "share"), [("paper", 1 / 2), ("release", 1)])
def test_eq_8(follow, share):
    def loss(z, W):
        output = Output(torch.stack(z[:2]), z[2], torch.stack(W), [])
        return sum(student_loss(output, PRESENT, lambda_mv=3, follow=follow).values())

    def reference(z, W):
        L_v1, L_v2, L_vs = (eq5(z_i, PRESENT.numpy()) for z_i in z)
        return share * (L_v1 + L_v2) + L_vs + 3 * eq3(*W)

    assert_agrees(loss, reference, [double(B, C, 2, seed=i) for i in range(3)], [double(C, 4), double(C, 4, seed=3)])


@pytest.mark.parametrize(
    ("loss", "reference", "channels"),
    [
        (asp_loss, asp_reference, (4, 2)),
        (lambda T, S: asp_loss(T, S, follow="release"), lambda T, S: asp_reference(T, S, released=True), (4, 2)),
        (sp_loss, sp_reference, (4, 2)),
        (lambda T, S: sp_loss(T, S, follow="release"), lambda T, S: sp_reference(T, S) / 2, (4, 2)),
        (at_loss, at_reference, (4, 2)),
        (fit_loss, fit_reference, (2, 3)),
    ],
    ids=["Eq. 9-15", "Eq. 9-15, release", "SP", "SP, release", "AT", "Fit"],
)
def test_distillation(loss, reference, channels):
    assert_agrees(
        lambda S: loss(features(10, channels), S),
        lambda S: reference([A.numpy() for A in features(10, channels)], S),
        features(20),
    )


def test_asp_is_blind_to_a_rotation_of_channels_and_to_scale():
    A = features(1)
    rotations = [torch.linalg.qr(double(len(A_l[0]), len(A_l[0]), seed=9))[0] for A_l in A]
    turned = [3 * torch.einsum("ck,bkhw->bchw", R, A_l) for R, A_l in zip(rotations, A, strict=True)]
    assert asp_loss(A, turned).item() == pytest.approx(0, abs=1e-12)
    assert asp_loss(A, features(5)) > 1e-3


def test_asp_of_large_and_small_activations_in_float32():
    T, S = features(1), features(2)
    for scale in (1e4, 1e-4):
        loss = asp_loss([scale * A.float() for A in T], [scale * A.float() for A in S])
        assert loss.item() == pytest.approx(asp_loss(T, S).item(), rel=1e-4)


@pytest.mark.parametrize(
    ("method", "follow", "reference", "alpha"),
    [
        ("ASP", "paper", lambda T, S: asp_reference(T[1:], S[1:]) / 2, 100),
        ("ASP", "release", lambda T, S: asp_reference(T, S, released=True), 100),
        ("SP", "paper", lambda T, S: sp_reference(T[1:], S[1:]) / 2, 3000),
        ("SP", "release", lambda T, S: sp_reference(T, S) / 3, 100),
        ("AT", "paper", lambda T, S: at_reference(T[1:], S[1:]) / 2, 1000),
        ("AT", "release", lambda T, S: at_reference(T, S) / 3, 100),
        ("Fit", "paper", lambda T, S: fit_reference(T[1:], S[1:]) / 2, 100),
        ("Fit", "release", fit_reference, 100),
    ],
)
def test_eq_16(method, follow, reference, alpha):
    """Both views; the first of three layers stands for conv1, which is no layer of the paper's Gamma."""
    T, S = ([features(seed + i, (2, 3, 2)) for i in (0, 5)] for seed in (30, 40))
    student = Output(double(2, B, C, 2), double(B, C, 2, seed=1), double(2, C, 4), S)
    teacher = Output(None, None, None, T)
    terms = student_loss(student, PRESENT, teacher, method=method, follow=follow)
    views = [reference(*([A.numpy() for A in view] for view in pair)) for pair in zip(T, S, strict=True)]
    assert terms.pop(f"L_{method.lower()}").item() == pytest.approx(alpha * sum(views), rel=1e-6)
    assert terms == student_loss(student, PRESENT, follow=follow)


LOSSES = {
    "ASP": asp_loss,
    "ASP, release": partial(asp_loss, follow="release"),
    "SP": sp_loss,
    "AT": at_loss,
    "Fit": fit_loss,
}
of_each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@of_each_loss
def test_a_tensor_is_one_layer(loss):
    """Not a sequence of B layers: one of the mistakes that give a number."""
    (T,), (S,) = features(1, (2,)), features(2, (2,))
    assert loss(T, S) == loss([T], [S]) == loss((T,), S)


@of_each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(loss, dtype):
    """At activations of 22, 512 channels have squares of 65,504 and more in sum, the end of float16."""
    T, S = (22 * double(4, 512, 7, 7, seed=seed).abs().to(dtype) for seed in (1, 2))
    S.requires_grad_()
    value = loss(T, S)
    (2**20 * value).backward()  # scaled, as is usual in float16
    assert value.dtype == torch.float32 and S.grad.isfinite().all() and S.grad.any()
    assert value.item() == pytest.approx(loss(T.double(), S.detach().double()).item(), rel=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(T, S) == value


@of_each_loss
def test_activations_that_do_not_fit_are_refused(loss):
    A = features(1)
    for other, said in (
        (A[:1], "2 layers of the teacher, 1 of the student"),
        ([], "2 layers of the teacher, 0"),
        ([a[:-1] for a in A], "expected"),
        ([a[0] for a in A], "expected"),
        ([a[:0] for a in A], "expected"),
    ):
        with pytest.raises(ValueError, match=said):
            loss(A, other)
    with pytest.raises(ValueError, match="at least one"):
        loss([], [])


def test_maps_and_activations_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="height and width"):
        at_loss(double(2, 3, 4, 4), double(2, 3, 2, 2))
    with pytest.raises(ValueError, match="Fit compares"):
        fit_loss(double(2, 3, 4, 4), double(2, 2, 4, 4))


def test_one_view_has_no_fused_classifier_and_no_multi_view_loss():
    output = Output(double(1, B, C, 2), double(B, C, 2), double(1, C, 4), [features(1)])
    terms = student_loss(output, PRESENT, Output(None, None, None, [features(2)]), alpha=2.0)
    assert terms["L_v"] == student_view_loss(output.views[0], PRESENT)
    assert terms.keys() == {"L_v", "L_asp"} and terms["L_asp"] == 2 * asp_loss(features(2)[1:], features(1)[1:])


def batch(positives, negatives, missing):
    return torch.tensor([1.0] * positives + [0.0] * negatives + [math.nan] * missing)[:, None]


@pytest.mark.parametrize(
    ("positives", "negatives", "ratio", "kept"),
    [(1, 9, 0.3, 3), (0, 10, 0.2, 2), (1, 6, 0.3, 3), (3, 7, 0.3, 7), (8, 2, 0.5, 2), (1, 1, 0.9, 1)],
)
def test_selective_weights_of_the_released_code(positives, negatives, ratio, kept):
    """By hand: ceil(N_c w_c) negatives stay where fewer than N_c w_c are positive, else all; a missing label never."""
    p = batch(positives, negatives, 4)
    a = selective_weights(p, (ratio,))
    assert (a[p == 1] == 1).all() and (a[p.isnan()] == 0).all()
    assert set(a[p == 0].tolist()) <= {0, 1} and a[p == 0].sum() == kept


@pytest.mark.parametrize(("positives", "negatives", "ratio"), [(1, 9, 0.3), (8, 2, 0.5), (3, 7, 0.3), (6, 4, 0.1)])
def test_original_selective_learning_reaches_the_wanted_ratio(positives, negatives, ratio):
    p = batch(positives, negatives, 4)
    a = selective_weights(p, (ratio,), selective="original")
    assert a[p == 1].sum().item() == pytest.approx(10 * ratio)
    assert a[p == 0].sum().item() == pytest.approx(10 * (1 - ratio))
    assert (a[p.isnan()] == 0).all()


def test_selective_weights_draw_every_negative_equally_often():
    p = batch(1, 9, 0).repeat(1, len(RATIOS))
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(300, *p.shape, generator=generator)
    draws = torch.stack([selective_weights(p, (0.3,) * 12, noise=x) for x in noise])
    assert (draws[:, 1:].mean((0, 2)) - 3 / 9).abs().max() < 0.04  # 3600 draws: 5 standard deviations
    assert not torch.equal(draws[..., 0], draws[..., 1])


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="follow='papers'"):
        asp_loss(features(1), features(2), follow="papers")
    with pytest.raises(ValueError, match="selective="):
        selective_weights(PRESENT, (0.1,) * 3, selective="both")
    with pytest.raises(ValueError, match="cr_on="):
        teacher_loss(Output(double(2, B, C), None, double(2, C, 4), []), LABELS, WEIGHTS, cr_on="labelled")
    student = Output(double(2, B, C, 2), double(B, C, 2), double(2, C, 4), [features(1)] * 2)
    with pytest.raises(ValueError, match="method='asp': expected one of Fit, AT, SP, ASP"):
        student_loss(student, PRESENT, student, method="asp")


def test_shapes_and_labels_that_do_not_fit_are_refused():
    """In the form of a sentence, and not as a number."""
    output = Output(double(2, B, C), None, double(2, C, 4), [])
    student = Output(double(2, B, C, 2), double(B, C, 2), double(2, C, 4), [features(1)] * 2)
    coded = PRESENT * 2 - 1  # as MLCR's files code them
    for said, call in (
        ("5, 3\\) and 12 ratios: expected \\(B, 12\\)", lambda: selective_weights(PRESENT)),
        ("label is -1: expected 1, 0 or NaN", lambda: selective_weights(coded, (0.1,) * 3)),
        ("noise", lambda: selective_weights(PRESENT, (0.1,) * 3, noise=double(B, 2))),
        ("label is -1", lambda: teacher_view_loss(double(B, C), coded, WEIGHTS)),
        ("logits", lambda: teacher_view_loss(double(B, 2), LABELS, WEIGHTS)),
        ("weights", lambda: teacher_loss(output, LABELS, WEIGHTS[:1])),
        ("same shape", lambda: co_regularization_loss(double(B, C), double(B, 1))),
        ("at least one image", lambda: co_regularization_loss(double(0, C), double(0, C))),
        ("same shape", lambda: multi_view_loss(double(C, 4), double(C, 5))),
        ("label is -1: expected 1, 0$", lambda: student_view_loss(double(B, C, 2), coded)),
        ("label is nan", lambda: student_view_loss(double(B, C, 2), LABELS)),
        ("expected \\(B, N, 2\\)", lambda: student_view_loss(double(B, C), PRESENT)),
        ("expected \\(B, N, 2\\)", lambda: student_view_loss(double(0, C, 2), PRESENT[:0])),
        (
            "1 views of the teacher, 2 of the student",
            lambda: student_loss(student, PRESENT, student._replace(features=[features(1)])),
        ),
    ):
        with pytest.raises(ValueError, match=said):
            call()
