"""Metrics against scikit-learn, against resampling by hand, and on worked examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from shared import metrics


@settings(deadline=None)
@given(
    st.integers(2, 7).flatmap(
        lambda C: st.tuples(
            st.just(C), st.lists(st.tuples(st.integers(0, C - 1), st.integers(0, C - 1)), min_size=1, max_size=40)
        )
    )
)
def test_agree_with_scikit_learn(case):
    C, pairs = case
    target, pred = np.array(pairs).T
    matrix, labels = metrics.confusion(target, pred, C), list(range(C))
    occurring = sorted(set(target))
    assert (matrix == sk.confusion_matrix(target, pred, labels=labels)).all()
    assert metrics.accuracy(matrix) == pytest.approx(sk.accuracy_score(target, pred))
    each = sk.f1_score(target, pred, labels=labels, average=None, zero_division=0)
    assert metrics.f1(matrix) == pytest.approx(each)
    assert metrics.uf1(matrix) == pytest.approx(each.mean())
    assert metrics.uar(matrix) == pytest.approx(
        sk.recall_score(target, pred, labels=occurring, average="macro", zero_division=0)
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_two_kinds_of_f1(pairs):
    target, pred = np.array(pairs).T
    matrix = metrics.confusion(target, pred, 2)
    assert metrics.f1_binary(matrix) == pytest.approx(sk.f1_score(target, pred, zero_division=0))
    both = sk.f1_score(target, pred, labels=[0, 1], average="macro", zero_division=0)
    assert metrics.METRICS["f1_macro"](matrix) == pytest.approx(both)


def test_units_are_scored_one_by_one_and_averaged():
    target = np.array([[1, 0, 1], [0, 0, -1], [1, 1, 0], [1, 0, -1]])
    pred = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]])
    by_hand = [sk.f1_score(target[:, 0], pred[:, 0]), sk.f1_score(target[:, 1], pred[:, 1]), 0.0]
    assert metrics.confusion(target, pred, 2).shape == (3, 2, 2)
    assert metrics.score(target, pred, 2, "f1_binary") == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize("metric", ["accuracy", "uf1", "uar"])
def test_bootstrap_agrees_with_resampling_subject_by_subject(metric):
    rng = np.random.default_rng(3)
    subject = rng.choice(list("abcdefgh"), 120)
    target = rng.integers(0, 3, 120)
    pred = np.where(rng.random(120) < 0.6, target, rng.integers(0, 3, 120))
    run = (subject, target, pred)
    low, high = metrics.interval(metrics.bootstrap([run], 3, metric, n=4000, seed=1))
    values = []
    for _ in range(1500):
        rows = np.concatenate([np.flatnonzero(subject == s) for s in rng.choice(list("abcdefgh"), 8)])
        values.append(metrics.score(target[rows], pred[rows], 3, metric))
    assert [low, high] == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)
    assert low < metrics.score(target, pred, 3, metric) < high
    again = (metrics.bootstrap([run], 3, metric, seed=5) for _ in range(2))
    assert np.array_equal(*again)


def test_bootstrap_of_units_averages_over_units():
    target = np.array([[1, 0], [1, 1], [0, 1], [1, 0]])
    low, high = metrics.interval(metrics.bootstrap([(list("aabb"), target, target)], 2, "f1_macro", n=200))
    assert high == 1 and low < 1 or low == high == 1


def test_constant_baseline_closed_forms():
    target = [0] * 6 + [1] * 3 + [2]
    assert metrics.constant_baseline(target, 3, "accuracy") == pytest.approx(0.6)
    assert metrics.constant_baseline(target, 3, "uf1") == pytest.approx(2 * 6 / (2 * 6 + 4) / 3)
    assert metrics.constant_baseline(target, 3, "uar") == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("positives", "size", "printed"), [((18, 23, 46, 30), 101, 0.439), ((23, 69, 40, 23), 124, 0.457)]
)
def test_all_present_reaches_the_known_averages(positives, size, printed):
    target = np.stack([np.arange(size) < count for count in positives], 1).astype(int)
    assert round(metrics.constant_baseline(target, 2, "f1_binary"), 3) == printed


def test_all_absent_is_the_baseline_of_macro_f1():
    target = np.array([[1], [0], [0], [0]])
    assert metrics.constant_baseline(target, 2, "f1_macro") == pytest.approx((0 + 6 / 7) / 2)


def test_labels_outside_the_classes_are_refused():
    with pytest.raises(ValueError, match="prediction outside 0..2: 3"):
        metrics.confusion([0, 1], [0, 3], 3)
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.confusion([0, 1], [0], 3)


def of_folds(seed: int = 3):
    """(subjects, targets, predictions, folds) of 200 samples of two units, 10 people in 4 folds."""
    rng = np.random.default_rng(seed)
    subject = rng.choice(list("abcdefghij"), 200)
    target = (rng.random((200, 2)) < (0.2, 0.5)).astype(int)
    pred = np.where(rng.random((200, 2)) < 0.7, target, 1 - target)
    return subject, target, pred, [f"fold{'abcdefghij'.index(s) % 4}" for s in subject]


def test_the_mean_of_folds_is_scikit_learns():
    _, target, pred, folds = of_folds()
    each = [np.array(folds) == fold for fold in sorted(set(folds))]
    by_fold = [[sk.f1_score(target[f, a], pred[f, a], zero_division=0) for a in range(2)] for f in each]
    assert metrics.score(target, pred, 2, "f1_binary", folds) == pytest.approx(np.mean(by_fold))
    assert metrics.score(target, pred, 2, "f1_binary") != pytest.approx(np.mean(by_fold), abs=1e-4)
    ones = np.mean([[sk.f1_score(target[f, a], np.ones(f.sum()), zero_division=0) for a in range(2)] for f in each])
    assert metrics.constant_baseline(target, 2, "f1_binary", folds) == pytest.approx(ones)


def test_bootstrap_of_the_mean_of_folds_is_that_of_resampled_subjects():
    """The same draws, subject by subject; a fold of which no subject is drawn is left out of the mean.

    Their mean is moved to the number of all subjects."""
    subject, target, pred, folds = of_folds()
    names, n = sorted(set(subject)), 200
    draws = np.random.default_rng(7).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
    values = []
    for draw in draws:
        by_fold = {}
        for times, name in zip(draw, names, strict=True):
            rows = np.flatnonzero(subject == name)
            by_fold.setdefault(folds[rows[0]], []).extend(np.tile(rows, times))
        parts = [np.array(rows) for rows in by_fold.values() if len(rows)]
        values.append(
            np.mean(
                [[sk.f1_score(target[rows, a], pred[rows, a], zero_division=0) for a in range(2)] for rows in parts]
            )
        )
    found = metrics.bootstrap([(subject, target, pred, folds)], 2, "f1_binary", n=n, seed=7)
    np.testing.assert_allclose(found - found.mean(), values - np.mean(values), atol=1e-12)
    assert found.mean() == pytest.approx(metrics.score(target, pred, 2, "f1_binary", folds))
    assert any(0 in np.bincount(np.arange(10) % 4, weights=draw) for draw in draws)  # a fold was left out


def test_a_unit_that_no_sample_scores_does_not_count():
    """AU1 of fold b is not scored: that fold's mean is AU2's alone."""
    target, pred = np.array([[1, 1], [0, 1], [-1, 0], [-1, 1]]), np.array([[1, 0], [1, 1], [1, 1], [0, 1]])
    folds, subjects = list("aabb"), list("stuv")
    a, b = (2 / 3 + 2 / 3) / 2, 2 / 3
    assert metrics.score(target, pred, 2, "f1_binary", folds) == pytest.approx((a + b) / 2)
    assert metrics.score(target[2:], pred[2:], 2, "f1_binary") == pytest.approx(b)
    one = [(subjects[2:], target[2:], pred[2:])]  # u alone: TP 0, FP 1; v alone: F1 1; both: 2/3
    assert set(metrics.bootstrap(one, 2, "f1_binary", n=50).round(3)) == {0, 1, 0.667}


# Two rows on three people with a clip each, all of class 1. The first is right on all; the second on none.
RIGHT, WRONG = (list("abc"), [1, 1, 1], [1, 1, 1]), (list("abc"), [1, 1, 1], [0, 0, 0])
HALF = (list("abc"), [1, 1, 1], [1, 0, 0])


def test_exchanges_by_hand():
    """Of the 8 exchanges of three people two, none and all, leave a difference as large as 1: p = 1/4. Between right on
    all and right on a, the two who differ may change places: the difference is 2/3 in half of the exchanges, else 0.
    Over seeds the people change places together. Of fifteen people, of whom two differ, there are more exchanges than
    are drawn."""
    assert metrics.exchanged([RIGHT], [WRONG], 2, "accuracy") == 1 / 4 == metrics.least_p(3, 1)
    assert metrics.exchanged([RIGHT], [HALF], 2, "accuracy") == 1 / 2
    assert metrics.exchanged([RIGHT, HALF], [WRONG, WRONG], 2, "accuracy") == 1 / 4
    assert metrics.exchanged([RIGHT], [RIGHT], 2, "accuracy") == 1
    people, ones = list("abcdefghijklmno"), [1] * 15
    many, others = (people, ones, ones), (people, ones, [0, 0, *ones[2:]])
    assert metrics.exchanged([many], [others], 2, "accuracy", n=20_000) == pytest.approx(1 / 2, abs=0.02)
    with pytest.raises(ValueError, match="same subjects"):
        metrics.exchanged([RIGHT], [(["a"], [1], [1])], 2, "accuracy")


def test_exchanges_of_networks_by_hand():
    """Four people, of whom one network answers for a and b, another for c and d. By people 2 of 16 exchanges leave the
    difference as large: p = 1/8; by networks 2 of 4. Over two seeds there are four networks: 2 of 16. Where each person
    has an own network, people alone change places."""
    right, wrong = (list("abcd"), [1] * 4, [1] * 4), (list("abcd"), [1] * 4, [0] * 4)
    halves, apart = list("xxyy"), list("wxyz")
    assert metrics.exchanged([right], [wrong], 2, "accuracy") == 1 / 8
    assert metrics.exchanged([right], [wrong], 2, "accuracy", [halves]) == 1 / 2
    assert metrics.exchanged([right] * 2, [wrong] * 2, 2, "accuracy", [halves] * 2) == 1 / 8
    assert metrics.exchanged([right], [wrong], 2, "accuracy", [apart]) == 1 / 8
    shuffled = (list("dbca"), [1] * 4, [1] * 4)  # the order of predictions is each run's own
    assert metrics.exchanged([shuffled], [wrong], 2, "accuracy", [list("yxyx")]) == 1 / 2


@pytest.mark.parametrize("seeds", [31, 32, 40])
def test_exchanges_of_more_networks_than_an_integer_has_bits(seeds):
    """Of 64 networks and more, too, random exchanges are taken; by people 2 of 16 leave the difference as large."""
    right, wrong = (list("abcd"), [1] * 4, [1] * 4), (list("abcd"), [1] * 4, [0] * 4)
    assert metrics.exchanged([right] * seeds, [wrong] * seeds, 2, "accuracy", [list("xxyy")] * seeds, n=99) == 1 / 8


def test_a_bootstrap_over_runs_by_hand():
    """Of a run that is all right and one that is all wrong a draw has 0, 1 or 2 right ones: its mean is 0, .5 or 1."""
    draws = metrics.bootstrap([RIGHT, WRONG], 2, "accuracy", n=20_000, over_runs=True)
    shares = [np.mean(np.isclose(draws, k / 2)) for k in range(3)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    assert set(metrics.bootstrap([RIGHT, WRONG], 2, "accuracy")) == {0.5}


def test_a_paired_interval_by_hand():
    """The difference of two rows' draws: RIGHT − HALF is the share of draws that are not of a: 0, 1/3, 2/3 or 1 with
    probabilities 1/27, 6/27, 12/27 and 8/27. Unpaired draws would reach below 0."""
    a, b = (metrics.bootstrap([run], 2, "accuracy", n=20_000) for run in (RIGHT, HALF))
    shares = [np.mean(np.isclose(a - b, k / 3)) for k in range(4)]
    assert shares == pytest.approx([1 / 27, 6 / 27, 12 / 27, 8 / 27], abs=0.01)
    assert metrics.interval(a - b) == (pytest.approx(0), pytest.approx(1))


def test_holm_by_hand():
    """Holm's own order: the smallest p times 4, the next times 3, …, none below the one before, none above 1."""
    assert metrics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert metrics.holm([0.6, 0.9]) == [1, 1] and metrics.holm([]) == []
