"""The classifier of the hand-crafted features: one linear SVM per AU, C chosen on the validation fold. Sec. 4.3."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def svm_scores(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    tol: float = 1e-6,
    iterations: int = 10_000,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains on `train`, picks each AU's C by binary F1 on `val`, scores x; returns scores (N, M) and C (M,).

    train, val: features (n, D) and AUs (n, M) of 0 and 1. x: features (N, D). A score above 0 means present. Of equally
    good Cs the smallest is taken. An AU that the training fold shows always or never has no SVM: it scores 1 or -1,
    with C nan. An SVM that has not met `tol` after `iterations` warns. Raises ValueError for shapes that do not fit and
    for labels other than 0 and 1.

    The loss is the squared hinge (not in the paper: LIBLINEAR's own), solved in the primal: its one minimum does not
    depend on the order of samples. The weights lie in the span of the samples. In an orthonormal basis of it the SVM is
    the same, and has at most as many features as samples.
    """
    check_labelled(*train)
    check_labelled(*val)
    (x_train, y_train), (x_val, y_val) = train, val
    if not penalties or min(penalties) <= 0:
        raise ValueError(f"expected penalties above 0, got {penalties}")
    N, M = len(x), y_train.shape[1]
    basis = np.linalg.qr(np.asarray(x_train, np.float64).T)[0]
    x_train, x_val, x = (np.asarray(features, np.float64) @ basis for features in (x_train, x_val, x))
    scores, chosen = np.empty((N, M)), np.full(M, np.nan)
    for au in range(M):
        if len(np.unique(y_train[:, au])) == 1:
            scores[:, au] = 2 * y_train[0, au] - 1
            continue
        best = -1.0
        for C in penalties:
            svm = LinearSVC(C=C, loss="squared_hinge", dual=False, tol=tol, max_iter=iterations)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                svm.fit(x_train, y_train[:, au])
            if svm.n_iter_ >= iterations:
                warnings.warn(
                    f"the SVM of unit {au + 1} of {M} has not converged at C = {C:g} after {iterations} iterations: "
                    "its decisions may depend on the order of samples",
                    ConvergenceWarning,
                    stacklevel=2,
                )
            f1 = f1_score(y_val[:, au], svm.predict(x_val), zero_division=0)
            if f1 > best:
                best, chosen[au], scores[:, au] = f1, C, svm.decision_function(x)
    return scores, chosen


def check_labelled(features: np.ndarray, y: np.ndarray) -> None:
    """Raises ValueError unless these are features (n, D) and AUs (n, M) of 0 and 1, of at least one sample."""
    if np.ndim(features) != 2 or np.ndim(y) != 2 or len(features) != len(y) or not len(y):
        raise ValueError(f"expected features (n, D) and AUs (n, M), got {np.shape(features)} and {np.shape(y)}")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"expected AUs of 0 and 1, got {np.unique(y)}")
