"""The classifier of the hand-crafted features: a linear SVM an AU, C chosen on the validation fold. Sec. 4.3."""

import numpy as np
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def svm_scores(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
    *,
    penalties: tuple[float, ...] = PENALTIES,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains on `train`, picks each AU's C by binary F1 on `val`, scores x; returns scores (N, M) and C (M,).

    train, val: features (n, D) and AUs (n, M) of 0 and 1. A score above 0 means present. Of equal Cs the smallest is
    taken. An AU that the training fold shows always or never has no SVM: it scores 1 or -1, with C nan.
    """
    (x_train, y_train), (x_val, y_val) = train, val
    N, M = len(x), y_train.shape[1]
    scores, chosen = np.empty((N, M)), np.full(M, np.nan)
    for au in range(M):
        if len(np.unique(y_train[:, au])) == 1:
            scores[:, au] = 2 * y_train[0, au] - 1
            continue
        best = -1.0
        for C in penalties:
            svm = LinearSVC(C=C, dual=False).fit(x_train, y_train[:, au])  # the dual is slow to converge at large C
            f1 = f1_score(y_val[:, au], svm.predict(x_val), zero_division=0)
            if f1 > best:
                best, chosen[au], scores[:, au] = f1, C, svm.decision_function(x)
    return scores, chosen
