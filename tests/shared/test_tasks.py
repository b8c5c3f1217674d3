"""Tasks on tables made by hand: who is in, under which class, and how they are folded."""

import dataclasses

import pandas as pd
import pytest

from shared.corpora import casme
from shared.corpora.aus import parse
from shared.corpora.samples import COLUMNS, sample_table
from shared.protocols import ProtocolError
from shared.tasks import HALVES, LEAVE_CORPUS_OUT, PROTOCOLS, TASKS


def row(
    sample: str, emotion: str | None = None, codes: str = "", *, edition: str = "2014", aus=None, onset=None, apex=None
) -> tuple:
    corpus, subject = sample.split("/")[:2]
    values = {
        "sample": sample,
        "corpus": corpus,
        "subject": f"{corpus}/{subject}",
        "emotion": emotion,
        "au_codes": codes,
        "aus": parse(codes).aus() if aus is None else aus,
        "edition": edition,
        "fps": 200.0,
        "onset": onset,
        "apex": apex,
    }
    return tuple(values.get(column) for column in COLUMNS)


def classes(name: str, *rows: tuple) -> dict[str, str]:
    task = TASKS[name]
    chosen = task.select(sample_table(rows))
    return dict(zip(chosen["sample"], (task.classes[target] for target in chosen["target"]), strict=True))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_is_whole(task):
    assert set(task.classes) >= {c for labels in task.labels.values() for c in labels.values()} or task.aus
    assert bool(task.classes) != bool(task.aus)
    assert not task.protocol or task.protocol in PROTOCOLS
    assert not task.protocol or set(task.expected) == set(task.corpora) or not task.expected
    assert task.expected or task.apex_after_onset or task.protocol in ("", LEAVE_CORPUS_OUT)


def test_counts_are_the_sums_of_the_published_ones():
    """Of classes, as each corpus's release or the task's source has them."""
    published = {
        "casme2-5": 99 + 63 + 32 + 27 + 25,
        "casme2-5-apex": 99 + 61 + 32 + 27 + 25,  # without two clips of disgust
        "casme2-5-2019": 99 + 63 + 32 + 27 + 28,
        "casme2-5-halves": 99 + 61 + 32 + 27 + 25,
        "casme2-3": 88 + 32 + 25,
        "samm-3": 92 + 26 + 15,
        "samm-5": 26 + 57 + 12 + 15 + 26,
        "samm-7": 26 + 15 + 9 + 57 + 8 + 12 + 6,
        "smic-3": 70 + 51 + 43,
        "mmew-4": 36 + 72 + 89 + 66,
        "mmew-6": 36 + 72 + 89 + 13 + 8 + 16,
        "mmew-6-others": 36 + 72 + 89 + 16 + 13 + 66,
        "casme3-3": 64 + 250 + 86 + 57 + 55 + 187,
        "casme3-4": 860,
        "casme3-7": 64 + 250 + 86 + 55 + 161 + 57 + 187,
        "casme3-4-apex": 860 - 57 + 2,  # two of the 57 clips whose printed apex is not after the onset are corrected
        "casme3-7-apex": 860 - 57 + 2,
        "cde-3": 442,
        "casme2-au8": 243,
        "casme2-au8-halves": 243,
        "casme-au4": 124,
        "samm-au4": 105 - 4,
        "emotionet-au12": 15_000 + 5_722,
        "ckplus-7": 45 + 18 + 59 + 25 + 69 + 28 + 83,
    }
    assert {name: sum(task.expected.values()) for name, task in TASKS.items() if task.expected} == published
    assert TASKS["cde-3"].expected == {"CASME2": 145, "SAMM": 133, "SMIC": 164}


def test_units_are_those_that_the_papers_score():
    eight = "AU1 AU2 AU4 AU7 AU12 AU14 AU15 AU17"
    papers = {
        "casme2-au8": eight,
        "casme2-au8-halves": eight,
        "casme-au4": "AU1 AU4 AU9 AU14",
        "samm-au4": "AU2 AU4 AU7 AU12",
        "emotionet-au12": "AU1 AU2 AU4 AU5 AU6 AU9 AU12 AU17 AU20 AU25 AU26 AU43",
        "corpora-au8": eight,
    }
    assert {name: " ".join(task.outputs) for name, task in TASKS.items() if task.aus} == papers
    for task in TASKS.values():
        assert task.metrics == (("f1_macro", "f1_binary", "accuracy") if task.aus else ("uf1", "uar", "accuracy"))


def test_valence_is_that_of_megc_2019():
    negative = ("anger", "angry", "contempt", "disgust", "fear", "sad", "sadness", "negative")
    expected = dict.fromkeys(negative, "negative") | dict.fromkeys(("happy", "happiness", "positive"), "positive")
    expected["surprise"] = "surprise"
    found = classes("samm-3", *(row(f"SAMM/006/{word}", word) for word in (*expected, "other", "others")))
    assert found == {f"SAMM/006/{word}": valence for word, valence in expected.items()}
    words = ("happiness", "disgust", "repression", "surprise", "sadness", "fear", "others")
    found = classes("casme2-3", *(row(f"CASME2/sub01/{word}", word) for word in words))
    assert found == {
        "CASME2/sub01/happiness": "positive",
        "CASME2/sub01/disgust": "negative",
        "CASME2/sub01/repression": "negative",
        "CASME2/sub01/surprise": "surprise",
    }


PEOPLE = sample_table([row(f"CASME2/sub{i:02d}/a", "disgust") for i in range(30)])
DRAWN = {HALVES: 2, "5-fold": 5, "4-fold with validation": 4, "holdout 15000/20722": 1}  # protocol -> folds


@pytest.mark.parametrize(("protocol", "folds"), DRAWN.items())
def test_folds_that_are_drawn_are_others_for_another_seed(protocol, folds):
    found = [PROTOCOLS[protocol](PEOPLE, seed) for seed in range(5)]
    assert {len(each) for each in found} == {folds} and len({each[0].test for each in found}) > 2
    assert {*PROTOCOLS} == {*DRAWN, "loso", LEAVE_CORPUS_OUT}


def test_people_who_validate_are_others_for_another_seed():
    assert len({TASKS["casme2-5"].folds(PEOPLE, seed, validation=True)[0].val for seed in range(5)}) > 2


def test_of_20722_images_15000_are_learned_from():
    names = [f"EmotioNet/{i}" for i in range(20722)]
    (fold,) = PROTOCOLS["holdout 15000/20722"](pd.DataFrame({"sample": names, "subject": names}), 0)
    assert (len(fold.train), len(fold.test)) == (15000, 5722)


@pytest.mark.parametrize(
    ("halves", "whole"), [("casme2-5-halves", "casme2-5-apex"), ("casme2-au8-halves", "casme2-au8")]
)
def test_halves_are_of_the_samples_and_labels_of_the_whole_task(halves, whole):
    rows = [
        row("CASME2/sub04/EP12_01f", "disgust", "4"),
        row("CASME2/sub05/EP09_05f", "disgust", "4+7"),
        row("CASME2/sub01/a", "happiness", "6"),
        *(row(f"CASME2/sub02/{unit:02d}", "others", str(unit)) for unit in range(1, 28)),
    ]
    pd.testing.assert_frame_equal(*(TASKS[name].select(sample_table(rows)) for name in (halves, whole)))


def test_labels_and_classes():
    assert classes(
        "casme2-5",
        row("CASME2/sub01/a", "others"),
        row("CASME2/sub01/b", "fear"),
        row("CASME2/sub02/c", "repression"),
        row("SAMM/006/d", "others"),
    ) == {"CASME2/sub01/a": "others", "CASME2/sub02/c": "repression"}
    mmew = [row(f"MMEW/S01/{word}", word) for word in ("anger", "others", "fear", "disgust")]
    assert set(classes("mmew-6", *mmew).values()) == {"anger", "fear", "disgust"}
    assert set(classes("mmew-6-others", *mmew).values()) == {"others", "fear", "disgust"}
    assert set(classes("mmew-4", *mmew).values()) == {"others", "disgust"}


def test_three_classes_of_every_corpus():
    rows = [
        row("CASME2/sub01/a", "repression"),
        row("CASME2/sub01/b", "sadness"),
        row("CASME2/sub01/c", "happiness"),
        row("SAMM/006/a", "contempt"),
        row("SAMM/006/b", "other"),
        row("SMIC/s1/a", "positive"),
        row("CASME2/sub04/EP12_01f", "disgust"),
        row("CASME2/sub05/EP09_05f", "disgust"),
    ]
    assert classes("cde-3", *rows) == {
        "CASME2/sub01/a": "negative",
        "CASME2/sub01/c": "positive",
        "SAMM/006/a": "negative",
        "SMIC/s1/a": "positive",
    }
    assert classes("casme3-4", row("CASME3/spNO.1/a/1", "sad"), row("CASME3/spNO.1/a/2", "others")) == {
        "CASME3/spNO.1/a/1": "negative",
        "CASME3/spNO.1/a/2": "others",
    }


def test_macro_expressions_in_the_classes_of_a_micro_task():
    rows = [row("CK+/S1/1", "happy"), row("MMI/1/1", "happiness"), row("Oulu-CASIA/P1/Fear", "fear"), row("CK+/S1/2")]
    assert list(classes("macro-3", *rows).values()) == ["positive", "positive", "negative"]
    for micro in ("casme2-5", "samm-5", "samm-7", "mmew-4"):
        assert list(classes(f"macro-{micro}", *rows[:2]).values()) == ["happiness", "happiness"], micro
    rows += [row("CK+/S1/3", "sadness"), row("CK+/S1/4", "contempt")]
    assert list(classes("macro-casme3-7", *rows).values()) == ["happy", "sad", "happy", "fear"]
    assert list(classes("macro-casme3-4", *rows).values()) == ["positive", *["negative"] * 2, "positive", "negative"]
    assert TASKS["macro-casme2-5"].classes == TASKS["casme2-5"].classes
    assert TASKS["macro-samm-7"].classes == TASKS["samm-7"].classes


def test_units_and_alternatives():
    rows = [
        row("SAMM/006/a", "anger", "A/L12+4"),
        row("SAMM/006/b", "anger", "(R6 or R12)+R15"),
        row("SAMM/006/c", "anger", "14"),
        row("SAMM/006/d", "other", "2 or 12+4"),
    ]
    chosen = TASKS["samm-au4"].select(sample_table(rows))
    assert chosen["sample"].tolist() == ["SAMM/006/a"] and chosen["target"].tolist() == [(0, 1, 0, 1)]
    counted = dataclasses.replace(TASKS["samm-au4"], drop_undecided=False).select(sample_table(rows))
    assert counted["target"].tolist() == [(0, 1, 0, 1), (0, 0, 0, 1), (1, 1, 0, 1)]
    assert TASKS["corpora-au8"].select(sample_table(rows))["sample"].tolist() == ["SAMM/006/a", "SAMM/006/c"]


def test_units_of_given_emotions_only():
    """Of all that CASME has, those that the paper names; and only where one of the units is shown."""
    rows = [row(f"CASME/sub01/{emotion}", emotion, "4") for emotion in casme.EMOTIONS]
    found = TASKS["casme-au4"].select(sample_table([*rows, row("CASME/sub02/a", "tense", "2")]))
    assert found["emotion"].tolist() == ["disgust", "repression", "surprise", "tense"]


def test_units_not_scored():
    rows = [row("EmotioNet/N_1", codes="1=1 12=0", aus=(1,)), row("EmotioNet/N_2"), row("EmotioNet/N_3", codes="60=1")]
    rows.append(row("EmotioNet/N_4", codes="4=0"))  # scored, and none is there
    first, absent = TASKS["emotionet-au12"].select(sample_table(rows))["target"]
    assert first == (1, -1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1) and absent == (-1, -1, 0, *[-1] * 9)


def test_the_order_of_rows_and_an_empty_table_do_not_matter():
    rows = sample_table([row(f"CASME2/sub{s:02d}/{c}", "disgust") for s in range(3) for c in "ab"])
    task = TASKS["casme2-5"]
    pd.testing.assert_frame_equal(task.select(rows.iloc[::-1]), task.select(rows))
    assert len(task.select(rows.iloc[:0])) == 0
    assert [fold.name for fold in task.folds(task.select(rows))] == ["CASME2/sub00", "CASME2/sub01", "CASME2/sub02"]


def test_another_edition_is_remarked():
    task = TASKS["cde-3"]
    assert task.remarks({"CASME2": "2014", "SAMM": ""}) == []
    (remark,) = task.remarks({"CASME2": "2019"})
    assert "2019" in remark and "2014" in remark
    for name in ("casme3-3", "casme3-4", "casme3-7-apex", "corpora-3"):
        assert TASKS[name].edition["CASME3"] == "v2"  # the first names wrong micro-expressions


@pytest.mark.parametrize(
    ("name", "edition"), [("casme2-5", "2014"), ("casme2-5-apex", "2014"), ("casme2-5-2019", "2019"), ("cde-3", "2014")]
)
def test_tasks_on_casme2_name_their_edition(name, edition):
    assert TASKS[name].edition["CASME2"] == edition
    assert TASKS[name].classes == TASKS["casme2-5"].classes or name == "cde-3"


def test_clips_without_an_apex_after_the_onset_stay_out_of_the_task_that_says_so():
    rows = [
        row("CASME2/sub04/EP12_01f", "disgust"),
        row("CASME2/sub05/EP09_05f", "disgust"),
        row("CASME2/s/a", "others"),
    ]
    assert set(classes("casme2-5-apex", *rows)) == {"CASME2/s/a"} and len(classes("casme2-5", *rows)) == 3
    assert len(TASKS["casme2-5-apex"].excluded) == 2 and all(TASKS["casme2-5-apex"].excluded.values())


def test_clips_at_their_maximum_from_the_first_frame_may_be_left_out():
    cells = [("a", 5, 5), ("b", 5, 6), ("c", 5, None)]
    rows = [row(f"CASME3/spNO.1/{name}/5", "sad", onset=onset, apex=apex) for name, onset, apex in cells]
    assert len(classes("casme3-7", *rows)) == 3
    assert list(classes("casme3-7-apex", *rows)) == ["CASME3/spNO.1/b/5"]


def test_a_task_to_train_on_has_no_folds():
    with pytest.raises(ProtocolError, match="macro-3 is trained on only"):
        TASKS["macro-3"].folds(sample_table([row("CK+/S1/1", "happy")]))


def test_five_corpora_are_joined_in_three_classes():
    rows = [
        row("CASME2/sub01/a", "repression"),
        row("CASME2/sub01/b", "sadness"),
        row("CASME2/sub04/EP12_01f", "disgust"),
        row("SAMM/006/a", "contempt"),
        row("SMIC/s1/a", "surprise"),
        row("MMEW/S01/a", "happiness"),
        row("MMEW/S01/b", "others"),
        row("CASME3/spNO.1/a/1", "happy"),
        row("CASME/sub01/a", "tense"),
    ]
    found = classes("corpora-3", *rows)
    assert found == {
        "CASME2/sub01/a": "negative",
        "SAMM/006/a": "negative",
        "SMIC/s1/a": "surprise",
        "MMEW/S01/a": "positive",
        "CASME3/spNO.1/a/1": "positive",
    }
    task = TASKS["corpora-3"]
    assert [fold.name for fold in task.folds(task.select(sample_table(rows)))] == list(task.corpora)


def test_a_unit_is_scored_where_ten_samples_show_it_and_learned_everywhere():
    """AU1: 10 in SAMM, 9 in MMEW. AU4: 9 in MMEW. AU12: 10 in SAMM and in MMEW."""
    rows = [row(f"SAMM/006/{i}", None, "1+12") for i in range(10)]
    rows += [row(f"MMEW/S01/{i}", None, "1+4+12" if i < 9 else "12") for i in range(10)]
    task = TASKS["corpora-au8"]
    samples = task.select(sample_table(rows))
    of = {corpus: set(task.scored(samples)[samples["corpus"] == corpus]) for corpus in ("SAMM", "MMEW")}
    assert of == {"SAMM": {(1, -1, -1, -1, 1, -1, -1, -1)}, "MMEW": {(-1, -1, -1, -1, 1, -1, -1, -1)}}
    assert (1, 0, 1, 0, 1, 0, 0, 0) in set(samples["target"]) and not any(-1 in t for t in samples["target"])
    assert TASKS["samm-au4"].scored(samples).equals(samples["target"])


def test_two_corpora_are_enough_where_one_is_left_out():
    assert TASKS["corpora-3"].missing_corpora(["SAMM", "SMIC"]) == []
    assert TASKS["cde-3"].missing_corpora(["SAMM"]) == ["CASME2", "SMIC"]
    assert TASKS["corpora-3"].missing_corpora(["SAMM", "DFEW"]) == ["CASME2", "CASME3", "MMEW", "SMIC"]
