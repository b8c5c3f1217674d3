"""Folds on random tables: no subject on two sides, every sample tested once, the same in any order of rows."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.protocols import Fold, ProtocolError, check, holdout, kfold, loco, loso, with_validation

tables = (
    st.lists(st.integers(0, 12), min_size=8, max_size=60)
    .filter(lambda s: len(set(s)) >= 5)
    .map(
        lambda subjects: pd.DataFrame(
            {"sample": [f"C/{s}/{i}" for i, s in enumerate(subjects)], "subject": [f"C/{s}" for s in subjects]}
        )
    )
)
made = st.sampled_from(
    [loso, lambda t: kfold(t, 5, 3), lambda t: kfold(t, 4, validation=True), lambda t: kfold(t, 3, 7, validation=True)]
)


@settings(max_examples=60, deadline=None)
@given(tables, made, st.randoms(use_true_random=False))
def test_folds_of_any_table(table, protocol, random):
    folds = protocol(table)
    subject = dict(zip(table["sample"], table["subject"], strict=True))
    assert sorted(i for fold in folds for i in fold.test) == sorted(table["sample"])
    for fold in folds:
        sides = [{subject[i] for i in ids} for ids in (fold.train, fold.val, fold.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))
        assert sorted(fold.train + fold.val + fold.test) == sorted(table["sample"])
    order = list(range(len(table)))
    random.shuffle(order)
    assert protocol(table.iloc[order]) == folds


def table(*counts: int) -> pd.DataFrame:
    subjects = [f"C/{s:02d}" for s, count in enumerate(counts) for _ in range(count)]
    return pd.DataFrame({"sample": [f"{s}/{i}" for i, s in enumerate(subjects)], "subject": subjects})


def test_loso_has_a_fold_a_subject():
    assert [fold.name for fold in loso(table(3, 1, 4))] == ["C/00", "C/01", "C/02"]


def test_validation_rotates():
    folds = kfold(table(*[5] * 8), 4, validation=True)
    assert [fold.val for fold in folds] == [fold.test for fold in folds[1:] + folds[:1]]
    assert all(len(fold.train) == 20 and len(fold.val) == len(fold.test) == 10 for fold in folds)


def test_folds_are_balanced_by_samples():
    sizes = [len(fold.test) for fold in kfold(table(30, 20, 10, 10, 9, 8, 7, 3, 2, 1), 3)]
    assert max(sizes) - min(sizes) <= 3


def test_seeds_differ():
    assert kfold(table(*[3] * 12), 4, seed=0) != kfold(table(*[3] * 12), 4, seed=1)


def test_holdout_keeps_its_share():
    (fold,) = holdout(table(*[1] * 1000), 0.75)
    assert (len(fold.train), len(fold.test)) == (750, 250)


def test_a_holdout_is_of_its_seed_and_the_same_in_any_order_of_rows():
    samples = table(*[2] * 30)
    (first,), *others = (holdout(samples, 0.75, seed) for seed in range(5))
    assert len({first.test, *(fold.test for (fold,) in others)}) == 5
    assert holdout(samples.iloc[::-1], 0.75) == [first]


def test_too_few_subjects():
    with pytest.raises(ProtocolError, match="4 subject-independent folds need 4 subjects, found 3"):
        kfold(table(5, 5, 5), 4)
    with pytest.raises(ProtocolError, match="no sample in train"):
        loso(table(5))


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([Fold("f", ("C/00/0",), ("C/00/1", "C/01/2"))], "C/00 is in train and in test"),
        ([Fold("f", ("C/01/2",), ("C/00/0", "C/00/1"), ("C/00/1",))], "C/00 is in val and in test"),
        ([Fold("f", ("C/01/2",), ("C/00/0", "C/00/1"))], "1 samples are never tested: C/01/2"),
        ([Fold("f", ("C/01/2",), ("C/00/0",)), Fold("g", ("C/01/2",), ("C/00/0",))], "C/00/0 is tested twice"),
        ([Fold("f", ("C/09/9",), ("C/00/0",))], "C/09/9 is not among the samples"),
        ([Fold("f", (), ("C/00/0", "C/00/1", "C/01/2"))], "no sample in train"),
    ],
)
def test_broken_folds_are_refused(folds, message):
    with pytest.raises(ProtocolError, match=message):
        check(folds, table(2, 1))


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(0, 9), st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.randoms(use_true_random=False))
def test_validation_of_training_subjects(table, seed, share, random):
    """At least the share, but all training subjects less one at most; whole subjects; the same in any order of rows."""
    before = loso(table)
    folds = with_validation(before, table, share, seed)
    subject = dict(zip(table["sample"], table["subject"], strict=True))
    for old, fold in zip(before, folds, strict=True):
        train, val, test = ({subject[i] for i in ids} for ids in (fold.train, fold.val, fold.test))
        assert train and val and not train & val and not (train | val) & test
        assert (fold.name, fold.test) == (old.name, old.test) and sorted(fold.train + fold.val) == list(old.train)
        assert len(fold.val) >= share * len(old.train) or len(train) == 1
        largest = max(sum(subject[i] == one for i in fold.val) for one in val)
        assert len(fold.val) - largest < share * len(old.train)  # no more subjects than it takes
    order = list(range(len(table)))
    random.shuffle(order)
    assert with_validation(before, table.iloc[order], share, seed) == folds


def test_seeds_and_folds_draw_other_validation_subjects():
    before = loso(table(*[2] * 12))
    first, second = (with_validation(before, table(*[2] * 12), seed=seed) for seed in (0, 1))
    assert first != second
    assert len({fold.val for fold in first}) > 3


def test_a_fifth_of_the_training_samples_validates_by_default():
    samples = table(*[1] * 11)
    assert [len(fold.val) for fold in with_validation(loso(samples), samples)] == [2] * 11


def test_a_single_training_subject_is_not_split():
    folds = loso(table(3, 4))
    with pytest.raises(ProtocolError, match="fold C/00: a single training subject cannot be split for validation"):
        with_validation(folds, table(3, 4))


pooled = st.lists(
    st.tuples(st.sampled_from(["CASME2", "SAMM", "MMEW"]), st.integers(0, 5)), min_size=2, max_size=60
).filter(lambda rows: len({corpus for corpus, _ in rows}) > 1)


@settings(max_examples=60, deadline=None)
@given(pooled, st.booleans(), st.randoms(use_true_random=False))
def test_leaving_one_corpus_out(rows, validated, random):
    """A fold a corpus; the people of no corpus, and none of the samples, are on two sides; the same in any order."""
    names = [f"{corpus}/{person}" for corpus, person in rows]
    table = pd.DataFrame(
        {"sample": [f"{n}/{i}" for i, n in enumerate(names)], "subject": names, "corpus": [c for c, _ in rows]}
    )
    folds = loco(table)
    if validated and all(len({i.rpartition("/")[0] for i in fold.train}) > 1 for fold in folds):
        folds = with_validation(folds, table)
    assert [fold.name for fold in folds] == sorted(set(table["corpus"]))
    for fold in folds:
        assert list(fold.test) == sorted(i for i in table["sample"] if i.startswith(f"{fold.name}/"))
        assert not any(i.startswith(f"{fold.name}/") for i in fold.train + fold.val)
        assert sorted(fold.train + fold.val + fold.test) == sorted(table["sample"])
        assert not {i.rpartition("/")[0] for i in fold.train} & {i.rpartition("/")[0] for i in fold.val}
    order = list(range(len(table)))
    random.shuffle(order)
    assert loco(table.iloc[order]) == loco(table)


def test_a_single_corpus_is_not_left_out():
    with pytest.raises(ProtocolError, match="no sample in train"):
        loco(table(3, 4).assign(corpus="SAMM"))
