import numpy as np
import pytest
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
