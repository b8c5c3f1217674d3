import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from sca_au.svm import PENALTIES, svm_scores


def folds(seed, n=60):
    """Features whose first number tells AU 0 weakly, whose second tells AU 1 clearly; AU 2 never, AU 3 always shown."""
    rng = np.random.default_rng(seed)
    y = np.stack([rng.random(n) < 0.3, rng.random(n) < 0.5, np.zeros(n), np.ones(n)], 1).astype(int)
    x = rng.normal(size=(n, 12))
    x[:, :2] += y[:, :2] * (1.0, 8.0)
    return x, y


@pytest.mark.filterwarnings("ignore:Liblinear failed")  # the dual, at the largest C
def test_each_au_takes_the_smallest_c_that_is_best_on_validation():
    train, val, (x, _) = folds(0), folds(1), folds(2)
    _, chosen = svm_scores(train, val, x)
    for au in range(2):
        f1 = {}
        for C in PENALTIES:
            svm = LinearSVC(C=C, dual=True, random_state=0).fit(train[0], train[1][:, au])
            f1[C] = f1_score(val[1][:, au], svm.predict(val[0]), zero_division=0)
        assert chosen[au] == min(C for C in f1 if f1[C] == max(f1.values()))


def test_scores_separate_what_the_features_tell():
    x, y = folds(2)
    scores, _ = svm_scores(folds(0), folds(1), x)
    assert scores.shape == (60, 4)
    assert f1_score(y[:, 1], scores[:, 1] > 0) > 0.95


def test_an_au_that_never_varies_in_training_is_constant():
    scores, chosen = svm_scores(folds(0), folds(1), folds(2)[0])
    assert (scores[:, 2] == -1).all() and (scores[:, 3] == 1).all()
    assert np.isnan(chosen[2:]).all()


def test_the_validation_fold_only_chooses():
    train, x = folds(0), folds(2)[0]
    scores = [svm_scores(train, folds(seed), x, penalties=(0.1,))[0] for seed in (1, 5)]
    assert np.array_equal(*scores)


def histograms(seed, n, D=60):
    """Features as the descriptors give them: near each other, with far more of them alike than not; few positives."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n, 1), int)
    y[: n // 5] = 1
    x = np.random.default_rng(9).random(D) * 0.2 + rng.normal(size=(n, D)) * 0.02
    x[:, :4] += 0.015 * y
    return x, y


def test_the_order_of_samples_changes_no_decision():
    (x, y), val, (unseen, _) = histograms(0, 80), histograms(1, 40), histograms(2, 200)
    scores, chosen = svm_scores((x, y), val, unseen)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))
        again, same = svm_scores((x[order], y[order]), val, unseen)
        assert np.array_equal(again > 0, scores > 0) and np.array_equal(same, chosen)
        np.testing.assert_allclose(again, scores, atol=1e-4)


@pytest.mark.parametrize("C", [1.0, 1000.0])
def test_the_squared_hinge_is_at_its_minimum(C):
    """½(‖w‖² + b²) + C Σ max(0, 1 − y f(x))² by another optimiser."""
    (x, y), (unseen, _) = histograms(0, 80), histograms(2, 50)
    ones, sign = np.column_stack([x, np.ones(len(x))]), 2.0 * y[:, 0] - 1

    def objective(w):
        slack = np.maximum(0, 1 - sign * (ones @ w))
        return w @ w / 2 + C * slack @ slack, w - 2 * C * (ones.T @ (sign * slack))

    w = minimize(objective, np.zeros(61), jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 10000}).x
    scores, _ = svm_scores((x, y), histograms(1, 40), unseen, penalties=(C,))
    np.testing.assert_allclose(scores[:, 0], unseen @ w[:-1] + w[-1], atol=2e-3)


@pytest.mark.parametrize("D", [60, 900])
def test_an_svm_is_that_of_all_features(D):
    """By scikit-learn, of 80 samples with fewer and with more features than samples."""
    (x, y), (unseen, _) = histograms(0, 80, D), histograms(2, 50, D)
    svm = LinearSVC(C=10.0, dual=False, tol=1e-6, max_iter=10_000).fit(x, y[:, 0])
    scores, _ = svm_scores((x, y), histograms(1, 40, D), unseen, penalties=(10.0,))
    np.testing.assert_allclose(scores[:, 0], svm.decision_function(unseen), atol=1e-5)


def test_what_does_not_converge_is_said():
    train, x = histograms(0, 80), histograms(2, 5)[0]
    with pytest.warns(ConvergenceWarning, match="unit 1 of 1 has not converged at C = 1000 after 2 iterations"):
        svm_scores(train, train, x, penalties=(1000.0,), iterations=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(train=(np.zeros((3, 2)), np.zeros((4, 1)))), "features"),
        (dict(train=(np.zeros((0, 2)), np.zeros((0, 1)))), "features"),
        (dict(val=(np.zeros((3, 2)), -np.ones((3, 1)))), "AUs of 0 and 1"),
        (dict(penalties=()), "penalties above 0"),
    ],
)
def test_mistakes_are_said(change, message):
    given = dict(train=folds(0), val=folds(1), x=folds(2)[0]) | change
    with pytest.raises(ValueError, match=message):
        svm_scores(given.pop("train"), given.pop("val"), given.pop("x"), **given)
