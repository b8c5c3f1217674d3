"""Cells are computed from the records alone, as one would by hand."""

import csv
import io
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from shared.metrics import METRICS, bootstrap, confusion, interval
from shared.report import printed, tables
from shared.report.cells import Cell, confusion_of
from shared.report.figures import along_rows, overlay
from shared.report.layout import as_text
from shared.report.page import confusion_matrices, page, subjects, training_curves
from shared.report.results import Result, finished, remarks_on, result, scope
from shared.runs.paper import Column, Row, Table
from shared.runs.recorded import Recorded
from shared.tasks import TASKS

TASK = TASKS["casme2-3"]


def scores(*classes):
    return [[0.8 if k == c else 0.1 for k in range(3)] for c in classes]


def predictions(**outputs):
    """rule -> scores by output, as a record holds them; each rule's epoch, by any metric, is called by its name."""
    metrics = ("accuracy", "uf1", "f1_binary")
    epochs = {rule: {m: dict.fromkeys(parts, rule) for m in metrics} for rule, parts in outputs.items()}
    return {"epochs": epochs, "scores": outputs}


EDITIONS = {"CASME2": "2014", "SAMM": "header in row 1", "AFEW": ""}


def record(subject, targets, last, best, corpus="CASME2"):
    n = len(targets)
    return {
        "samples": [f"{subject}/{i}" for i in range(n)],
        "metrics": ["accuracy"],
        "data": {"samples": 4, "subjects": 2, "editions": EDITIONS},
        "pretraining": None,
        "subjects": [subject] * n,
        "corpora": [corpus] * n,
        "targets": targets,
        "code": "abc",
        "fold": subject,
        "predictions": predictions(last={"": scores(*last)}, best_on_test={"": scores(*best)}),
        "history": [{"epoch": 1, "loss": 1.0, "test": 0.5}, {"epoch": 2, "loss": 0.5, "test": 0.75}],
    }


# Targets 0 0 1 2. Seed 0, last: 0 1 1 2, right 3 of 4; F1 of the classes 2/3, 2/3, 1: UF1 7/9. Best: all right.
# Seed 1, last: 0 0 0 0, right 2 of 4; F1 2/3, 0, 0: UF1 2/9. Best: 0 0 1 1, right 3 of 4; F1 1, 2/3, 0: UF1 5/9.
SEEDS = [
    [record("s1", [0, 0], [0, 1], [0, 0]), record("s2", [1, 2], [1, 2], [1, 2], "SAMM")],
    [record("s1", [0, 0], [0, 0], [0, 0]), record("s2", [1, 2], [0, 0], [1, 1], "SAMM")],
]


def experiment(records, folds=2, task=TASK, config="random", seed=0):
    paper = SimpleNamespace(
        remarks=lambda config, *_: ["input: narrow", f"weights: {config}"], rule="last", yardstick=True
    )
    session = SimpleNamespace(rule="last", code="abc", paper=paper)
    return Recorded(session, task, config, seed, folds, records, [])


def archive(tmp_path, experiments, rule="last", of=lambda found: lambda row, column: found, **how):
    """What a report asks of the records in a folder; `of` says which of `experiments` are a cell's."""
    paper = SimpleNamespace(
        name="toy",
        title="Toy <&>",
        folder=tmp_path,
        rule=rule,
        figures=lambda session, runs, results: [],
        tables=(),
        config=lambda **changes: "",
    )
    settings = {
        "paper": paper,
        "rule": rule,
        "generated": False,
        "shuffled": False,
        "scale": "paper",
        "folder": tmp_path,
        "overrides": {},
        "changes": list,
        **how,
    }
    made = SimpleNamespace(session=SimpleNamespace(**settings), experiments=of(experiments), left_out=[])
    made.owner, made.yardstick = lambda row: made, lambda task: []
    return made


def table(*columns, rows=None):
    return Table("table1", "Table 1: a | test", columns, rows or (Row("ours"),))


def write_printed(tmp_path, *rows):
    (tmp_path / "tables").mkdir(exist_ok=True)
    lines = ["row,column,value,source", *rows]
    (tmp_path / "tables" / "table1.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


ACC, UF1 = Column("Acc (%)", "casme2-3", "accuracy", 100), Column("UF1", "casme2-3", "uf1")


def cells(tmp_path, t, experiments, **how):
    made = result(archive(tmp_path, experiments, **how), t)
    return {(c.row, c.column): c for c in made.cells}, made


def test_a_cell_is_as_counted_by_hand(tmp_path):
    write_printed(tmp_path, "ours,Acc (%),70.25,run", "ours,UF1,0.8000,run")
    found, _ = cells(tmp_path, table(ACC, UF1), [experiment(SEEDS[0])])
    acc, uf1 = found["ours", "Acc (%)"], found["ours", "UF1"]
    assert acc.measured == pytest.approx(75) and acc.other == pytest.approx(100) and acc.leak == pytest.approx(25)
    assert uf1.measured == pytest.approx(7 / 9) and uf1.leak == pytest.approx(2 / 9)
    assert tables.texts(acc)[2:] == (
        "70.25",
        "75.00",
        "+4.75",
        f"[{acc.low:.2f}, {acc.high:.2f}]",
        "",
        "pooled",
        "last",
        "best_on_test 100.00",
        "+25.00 [0.00, 50.00]",
        "2 of 2 folds",
    )
    assert tables.texts(uf1)[2:5] == ("0.8000", "0.7778", "-0.0222")
    # Drawn with replacement from two people: both (1/2), s1 twice (1/4: 2 of 4 right), s2 twice (1/4: all right).
    assert (acc.low, acc.high) == (pytest.approx(50), pytest.approx(100))
    # Best on test, all is right in each of these draws: the leak is 25, 50 or 0.
    assert (acc.leak_low, acc.leak_high) == (pytest.approx(0), pytest.approx(50))


def test_the_rule_of_the_paper_is_the_headline(tmp_path):
    found, _ = cells(tmp_path, table(ACC), [experiment(SEEDS[0])], rule="best_on_test")
    cell = found["ours", "Acc (%)"]
    assert (cell.measured, cell.other, cell.leak) == (pytest.approx(100), pytest.approx(75), pytest.approx(25))
    assert cell.rule == "best_on_test" and cell.other_rule == "last"


def test_seeds_are_averaged_after_pooling(tmp_path):
    found, _ = cells(tmp_path, table(ACC, UF1), [experiment(r, seed=i) for i, r in enumerate(SEEDS)])
    assert found["ours", "Acc (%)"].measured == pytest.approx((75 + 50) / 2)
    assert found["ours", "UF1"].measured == pytest.approx((7 / 9 + 2 / 9) / 2)
    assert found["ours", "UF1"].leak == pytest.approx((1 + 5 / 9) / 2 - (7 / 9 + 2 / 9) / 2)
    assert found["ours", "Acc (%)"].note == "4 of 4 folds, seeds 50.00 to 75.00"


def resampled(runs, metric, draws):
    """The metric's mean over runs in each draw: the people drawn, one after the other, all their clips each time."""
    means = []
    for draw in draws:
        values = []
        for s, t, p in runs:
            chosen = np.concatenate([np.flatnonzero(s == f"s{i}") for i in range(9) for _ in range(draw[i])])
            values.append(METRICS[metric](confusion(t[chosen], p[chosen], 3)))
        means.append(np.mean(values))
    return np.array(means)


def people(*skills):
    """Nine people with five clips each: subjects, targets, and a prediction for each skill."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 45)
    said = [np.where(rng.random(45) < skill, target, rng.integers(0, 3, 45)) for skill in skills]
    return np.repeat([f"s{i}" for i in range(9)], 5), target, said


@pytest.mark.parametrize("metric", ["accuracy", "uf1"])
def test_interval_over_seeds_is_that_of_the_mean_under_the_same_draws(metric):
    subject, target, said = people(0.3, 0.6, 0.8)
    runs = [(subject, target, prediction) for prediction in said]
    order = np.random.default_rng(1).permutation(45)
    runs[1] = tuple(part[order] for part in runs[1])
    draws = np.random.default_rng(7).multinomial(9, np.full(9, 1 / 9), size=200)
    low, high = interval(bootstrap(runs, 3, metric, n=200, seed=7))
    assert (low, high) == pytest.approx(tuple(np.percentile(resampled(runs, metric, draws), [2.5, 97.5])))
    alone = [interval(bootstrap([run], 3, metric, n=200, seed=7)) for run in runs]
    assert high - low < max(h - l for l, h in alone)
    with pytest.raises(ValueError, match="same subjects"):
        bootstrap([runs[0], (np.array(["s0"]), target[:1], target[:1])], 3, metric)


@pytest.mark.parametrize("rule", ["last", "val", "best_on_test"])
def test_interval_of_the_leak_is_that_of_the_difference_under_the_same_draws(tmp_path, rule):
    subject, target, said = people(0.3, 0.5, 0.6, 0.8)
    seeds = [
        {"last": said[0], "val": said[1], "best_on_test": said[2]},
        {"last": said[1], "val": said[3], "best_on_test": said[3]},
    ]
    experiments = []
    for taken in seeds:
        fold = record("", target.tolist(), [], []) | {"subjects": subject.tolist()}
        fold["predictions"] = predictions(**{name: {"": scores(*each)} for name, each in taken.items()})
        experiments.append(experiment([fold], folds=1, seed=len(experiments)))
    found, _ = cells(tmp_path, table(ACC), experiments, rule=rule)
    cell = found["ours", "Acc (%)"]
    draws = np.random.default_rng(0).multinomial(9, np.full(9, 1 / 9), size=1000)
    best, last = (
        100 * resampled([(subject, target, taken[name]) for taken in seeds], "accuracy", draws)
        for name in ("best_on_test", "last")
    )
    assert (cell.leak_low, cell.leak_high) == pytest.approx(tuple(np.percentile(best - last, [2.5, 97.5])))
    assert tables.texts(cell)[10] == f"+{cell.leak:.2f} [{cell.leak_low:.2f}, {cell.leak_high:.2f}]"


@pytest.mark.parametrize(("rule", "uf1"), [("val", 2 / 9), ("best_on_test", 7 / 9)])
def test_a_validated_row_is_one_network_in_all_columns(tmp_path, rule, uf1):
    """The epoch "a", which accuracy chooses, says 0 0 0 0 of 0 0 1 2: UF1 2/9; "b", which UF1 chooses, 0 1 1 2: 7/9."""
    said = {"a": [0, 0, 0, 0], "b": [0, 1, 1, 2]}
    fold = record("", [0, 0, 1, 2], said["a"], said["a"])
    fold["predictions"]["scores"] |= {epoch: {"": scores(*answers)} for epoch, answers in said.items()}
    fold["predictions"]["epochs"][rule] = {"accuracy": {"": "a"}, "uf1": {"": "b"}}
    found, _ = cells(tmp_path, table(ACC, UF1), [experiment([fold], folds=1)], rule=rule)
    assert found["ours", "Acc (%)"].measured == pytest.approx(50)
    assert found["ours", "UF1"].measured == pytest.approx(uf1)


def of_rows(tmp_path, column=ACC, rule="last", **rows):
    """The cells of rows with an experiment each."""
    made = archive(tmp_path, rows, rule=rule, of=lambda found: lambda row, column: found[row.name])
    cells = result(made, table(column, rows=tuple(map(Row, rows)))).cells
    return {(c.row, c.joined): c for c in cells}


@pytest.mark.parametrize(
    ("rule", "numbers", "own", "ends"),
    [("last", (75, 50), (0, 100), (-100, 50)), ("best_on_test", (100, 75), (50, 100), (-50, 0))],
)
def test_a_gain_by_hand(tmp_path, rule, numbers, own, ends):
    """Of s1 and s2 the first row has right, last, 1/2 and all, the second all and none; best, all and all, all and
    1/2. Both are drawn, or one of them twice."""
    first, second = ([experiment(records)] for records in SEEDS)
    found = of_rows(tmp_path, rule=rule, first=first, second=second)
    a, b = (found[row, "pooled"] for row in ("first", "second"))
    assert (a.measured, b.measured) == pytest.approx(numbers) and (b.low, b.high) == pytest.approx(own)
    assert a.seeds == {0: pytest.approx(numbers[0])} and b.seeds == {0: pytest.approx(numbers[1])}
    assert a.gain is None and b.gain == pytest.approx(-25) and (b.gain_low, b.gain_high) == pytest.approx(ends)


def test_the_csv_holds_each_number_under_its_own_name(tmp_path):
    """The second row of the gain by hand: best, s1 has all right and s2 half, last all and none: a leak of 0 or 50."""
    runs = {"first": [experiment(SEEDS[0])], "second": [experiment(SEEDS[1])]}
    made = archive(tmp_path, runs, of=lambda found: lambda row, column: found[row.name])
    results = [result(made, table(ACC, rows=tuple(map(Row, runs))))]
    (line,) = [x for x in csv.DictReader(io.StringIO(tables.as_csv(made, results))) if x["row"] == "second"]
    names = "value", "low", "high", "other value", "leak", "leak low", "leak high"
    assert [float(line[name]) for name in names] == [50, 0, 100, 75, 25, 0, 50]
    assert [float(line[f"over first row{end}"]) for end in ("", " low", " high")] == [-25, -100, 50]


@pytest.mark.parametrize("other", ["samples", "seed"])
def test_rows_of_other_samples_or_seeds_are_not_paired(tmp_path, other):
    records = [record("s1", [0, 0], [0, 1], [0, 0]), record("s3", [1, 2], [1, 2], [1, 2])]
    second = experiment(records) if other == "samples" else experiment(SEEDS[1], seed=1)
    found = of_rows(tmp_path, first=[experiment(SEEDS[0])], second=[second])["second", "pooled"]
    assert found.measured is not None and found.gain is found.gain_low is None


def test_a_confusion_matrix_is_of_the_network_that_is_kept():
    """By the first metric of its record, whatever the column's."""
    fold = record("", [0, 0, 1, 2], [0, 0, 0, 0], [0, 1, 1, 2])
    fold["predictions"]["epochs"]["best_on_test"] = {"accuracy": {"": "last"}, "uf1": {"": "best_on_test"}}
    counts = confusion_of([fold], "best_on_test", UF1)
    assert counts.tolist() == [[2, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_where_the_last_epoch_is_the_best_the_leak_is_nothing(tmp_path):
    records = [record("s1", [0, 0], [0, 1], [0, 1]), record("s2", [1, 2], [1, 2], [1, 2])]
    found, _ = cells(tmp_path, table(ACC, UF1), [experiment(records)])
    assert tables.texts(found["ours", "Acc (%)"])[10] == "+0.00 [0.00, 0.00]"
    assert tables.texts(found["ours", "UF1"])[10] == "+0.0000 [0.0000, 0.0000]"


def test_a_column_of_one_corpus_scores_its_predictions_alone(tmp_path):
    columns = [Column(name, "casme2-3", "accuracy", 100, corpus=name) for name in ("CASME2", "SAMM")]
    found, _ = cells(tmp_path, table(*columns), [experiment(SEEDS[0])])
    assert found["ours", "CASME2"].measured == pytest.approx(50)
    assert found["ours", "SAMM"].measured == pytest.approx(100)
    assert found["constant baseline (largest class)", "CASME2"].measured == pytest.approx(100)


def test_a_row_may_score_another_output_of_the_network(tmp_path):
    records = [
        dict(
            r,
            predictions=predictions(
                **{
                    rule: parts | {"teacher": scores(*r["targets"])}
                    for rule, parts in r["predictions"]["scores"].items()
                }
            ),
        )
        for r in SEEDS[0]
    ]
    rows = (Row("student"), Row("teacher", output="teacher"))
    found, _ = cells(tmp_path, table(ACC, rows=rows), [experiment(records)])
    assert found["student", "Acc (%)"].measured == pytest.approx(75)
    assert found["teacher", "Acc (%)"].measured == pytest.approx(100)


def test_action_units_one_by_one_and_in_the_mean(tmp_path):
    task = TASKS["casme-au4"]  # units 1, 4, 9, 14
    targets = [[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1]]
    said = [[0.9, 0.2, 0.1, 0.6], [0.9, 0.7, 0.2, 0.4], [0.6, 0.8, 0.3, 0.51]]
    r = record("s1", targets, (), ())
    r["predictions"] = predictions(**{rule: {"": said} for rule in ("last", "best_on_test")})
    # AU1: TP 2, FP 1 → 4/5. AU4: TP 1, FP 1, FN 1 → 1/2. AU9: nothing → 0. AU14: TP 1, FP 1, FN 1 → 1/2.
    columns = [Column(f"AU{au}", task.name, "f1_binary", 100, au=au) for au in task.aus]
    columns.append(Column("Mean", task.name, "f1_binary", 100))
    found, _ = cells(tmp_path, table(*columns), [experiment([r], folds=1, task=task)])
    assert [found["ours", c.name].measured for c in columns] == pytest.approx([80, 50, 0, 50, 45])
    # All present: AU1 2 of 3 → 4/5, AU4 likewise, AU9 0, AU14 4/5.
    label = "constant baseline (all present)"
    assert [found[label, c.name].measured for c in columns] == pytest.approx([80, 80, 0, 80, 60])


UNITS = TASKS["casme-au4"]  # units 1, 4, 9, 14
SHOWN = [[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1]]  # two samples of s1, two of s2
F1 = tuple(Column(f"AU{au}", UNITS.name, "f1_binary", au=au, joined="mean of folds") for au in UNITS.aus)


def of_units(said):
    """Two folds, of two samples each."""
    records = []
    for subject, rows in (("s1", slice(0, 2)), ("s2", slice(2, 4))):
        scores = predictions(**{rule: {"": said[rows]} for rule in ("last", "best_on_test")})
        records.append(record(subject, SHOWN[rows], (), ()) | {"predictions": scores})
    return experiment(records, task=UNITS)


def test_beside_a_mean_of_folds_stands_the_pooled_number_which_no_paper_prints(tmp_path):
    """AU1 is said to be shown by a, b and c: F1 of the first fold 1, of the second 0, pooled 2 · 2 / (3 + 3). All
    present: 1 and 2/3, pooled 6/7."""
    write_printed(tmp_path, "ours,AU1,.5,run")
    _, made = cells(tmp_path, table(F1[0]), [of_units([[0.9] * 4, [0.9] * 4, [0.9] * 4, [0.1] * 4])])
    mean, pool = (c for c in made.cells if c.row == "ours")
    assert (mean.joined, mean.paper, mean.measured) == ("mean of folds", ".5", pytest.approx(0.5))
    assert (pool.joined, pool.paper, pool.measured) == ("pooled", "", pytest.approx(2 / 3))
    assert tables.texts(mean)[4] == "+0.0" and pool.difference is None and mean.note == pool.note == "2 of 2 folds"
    # a draw has one of the folds alone or both: 0, 1, .5; the mean of a thousand is near .5, and it is moved there
    assert (mean.low, mean.high) == (pytest.approx(0, abs=0.04), pytest.approx(1, abs=0.04))
    all_present = [(c.joined, c.measured) for c in made.cells if c.row.startswith("constant baseline")]
    assert all_present == [("mean of folds", pytest.approx(5 / 6)), ("pooled", pytest.approx(6 / 7))]


def test_a_part_is_paired_by_the_samples_of_its_own_corpus(tmp_path):
    """The second row has lost a clip of SAMM: of both corpora the rows are not paired, of CASME II they are."""
    rows = Row("ours"), Row("second", lr=0.1)
    lost = [SEEDS[1][0], {**SEEDS[1][1], "samples": ["s2/0", "s2/9"]}]
    of = {"ours": [experiment(SEEDS[0])], "second": [experiment(lost)]}
    columns = UF1, Column("CASME2", "casme2-3", "uf1", corpus="CASME2")
    made = result(archive(tmp_path, [], of=lambda _: lambda row, column: of[row.name]), table(*columns, rows=rows))
    second = {c.column: c for c in made.cells if c.row == "second"}
    assert second["UF1"].gain is None and second["CASME2"].gain is not None


def test_the_yardstick_joins_folds_as_its_column_does(tmp_path):
    """Here it says what the network says, in the test above."""
    units = of_units([[0.9] * 4, [0.9] * 4, [0.9] * 4, [0.1] * 4])
    made = archive(tmp_path, [units])
    made.yardstick = lambda task: [units]
    cells = [c for c in result(made, table(F1[0])).cells if c.row.startswith("yardstick")]
    assert [(c.joined, c.measured) for c in cells] == [
        ("mean of folds", pytest.approx(0.5)),
        ("pooled", pytest.approx(2 / 3)),
    ]
    assert {c.note for c in cells} == {"2 folds"}
    units.found[0] = {**units.found[0], "samples": ["s1/0", "s1/0"]}
    made.yardstick = lambda task: [of_units([[0.9] * 4] * 4)]
    notes = {c.note for c in result(made, table(F1[0])).cells if c.row.startswith("yardstick")}
    assert notes == {"2 folds, on 4 samples, where rows have 3"}


def test_files_of_units_hold_the_records_unit_by_unit():
    """Predictions sample by sample, and their counts by a loop over these."""
    said = [[0.9, 0.6, 0.1, 0.1], [0.9, 0.1, 0.1, 0.8], [0.6, 0.1, 0.1, 0.1], [0.1, 0.9, 0.1, 0.8]]
    runs = {of_units(said): "ours"}
    (predictions,) = (pd.read_csv(io.StringIO(text)) for text in tables.predictions_csv(runs).values())
    counts = pd.read_csv(io.StringIO(tables.confusions_csv(runs)), dtype={"unit": str})
    words = {"absent": 0, "present": 1}
    for i, unit in enumerate(UNITS.outputs):
        pairs = [(shown[i], int(scores[i] > 0.5)) for shown, scores in zip(SHOWN, said, strict=True)]
        assert list(zip(predictions[f"truth {unit}"], predictions[f"prediction {unit}"], strict=True)) == pairs
        own = counts[counts["unit"] == unit]
        for truth, prediction, count in zip(own["truth"], own["prediction"], own["count"], strict=True):
            assert pairs.count((words[truth], words[prediction])) == count
        assert own["count"].sum() == 4


def test_per_cents_have_two_decimals_even_where_they_are_0(tmp_path):
    wrong = [record("s1", [0, 0], [1, 1], [1, 1]), record("s2", [1, 2], [0, 0], [0, 0])]
    found = of_rows(tmp_path, ACC, ours=[experiment(wrong), experiment(wrong, seed=1)])["ours", "pooled"]
    assert tables.texts(found)[3] == "0.00" and found.note == "4 of 4 folds, seeds 0.00 to 0.00"
    targets, said = {"targets": [[0] * 4] * 2}, {"": [[0.1] * 4] * 2}
    absent = [r | targets | {"predictions": predictions(last=said, best_on_test=said)} for r in wrong]
    per_cents = replace(F1[0], scale=100, joined="pooled")
    cells = of_rows(tmp_path, per_cents, ours=[experiment(absent, task=UNITS)])
    assert [tables.texts(cell)[3] for cell in cells.values()] == ["0.00", "0.00"]  # "all present" has none right, too


def test_files_of_predictions_say_which_metric_chose_their_epoch(tmp_path):
    """The best epoch by accuracy has all right; the best by UF1 is here another one, with 0 1 1 2 for 0 0 1 2."""
    found = [{**r, "predictions": predictions(**r["predictions"]["scores"])} for r in SEEDS[0]]
    for r in found:
        r["predictions"]["epochs"]["best_on_test"]["uf1"] = {"": "last"}
    ours = experiment(found)
    ours.session.rule = "best_on_test"
    made = {
        c.name: of_rows(tmp_path, c, rule="best_on_test", ours=[ours])["ours", "pooled"].measured for c in (ACC, UF1)
    }
    assert made == {"Acc (%)": 100, "UF1": pytest.approx(7 / 9)}
    (text,) = tables.predictions_csv({ours: "ours"}).values()
    lines, counts = pd.read_csv(io.StringIO(text)), pd.read_csv(io.StringIO(tables.confusions_csv({ours: "ours"})))
    assert {*lines["chosen by"], *counts["chosen by"]} == {"accuracy"} and (lines["truth"] == lines["prediction"]).all()
    ours.session.rule = "last"  # which no metric chose
    (text,) = tables.predictions_csv({ours: "ours"}).values()
    assert {line["chosen by"] for line in csv.DictReader(io.StringIO(text))} == {""}
    assert {line["chosen by"] for line in csv.DictReader(io.StringIO(tables.confusions_csv({ours: "ours"})))} == {""}


def test_a_gain_is_over_the_number_that_joins_the_folds_alike(tmp_path):
    """Of AU1, as above: .5 and pooled 2/3; said of all, 5/6 and pooled 6/7."""
    some, every = (of_units([[p] * 4 for p in said]) for said in ((0.9, 0.9, 0.9, 0.1), (0.9,) * 4))
    found = of_rows(tmp_path, F1[0], some=[some], every=[every])
    assert found["every", "mean of folds"].gain == pytest.approx(5 / 6 - 1 / 2)
    assert found["every", "pooled"].gain == pytest.approx(6 / 7 - 2 / 3)


def test_units_that_are_not_scored_are_no_positives(tmp_path):
    """AU1 of the second of four samples, three of which show it."""
    units = of_units([[0.9] * 4] * 4)
    units.found[0]["targets"] = [SHOWN[0], [-1, *SHOWN[1][1:]]]
    write_printed(tmp_path, "Number of samples,AU1,2,run")
    found, _ = cells(tmp_path, table(F1[0]), [units])
    assert found["Number of samples", "AU1"].measured == 2
    write_printed(tmp_path, "Number of samples,AU14,3,run", "Number of samples,AU4,2,run")  # in another order
    found, _ = cells(tmp_path, table(F1[3], F1[1]), [units])
    assert [found["Number of samples", f"AU{au}"].measured for au in (14, 4)] == [3, 2]


def test_strict_compares_a_printed_mean_of_folds_with_the_measured_one(tmp_path):
    """All right in both folds but for AU4, which only the first shows: 1 and 0; pooled it is 1, without an interval."""
    said = [[0.9 if unit else 0.1 for unit in row] for row in SHOWN]
    write_printed(tmp_path, "ours,AU1,1.0,run", "ours,AU9,.5,run")
    made = archive(tmp_path, [of_units(said)])
    said, code = tables.strict(made.session, [result(made, table(F1[0], F1[2]))])
    assert code == 1 and "2 cells that the authors ran, 0 without a number yet, 2 compared: 1 outside" in said
    assert said.splitlines()[1:] == ["  table1/ours, AU9: paper .5, measured 0.0 [0.0, 0.0]"]


def test_where_positives_differ_the_column_is_not_compared(tmp_path):
    """Ours: 3, 2, 0 and 3. A mean over units is comparable where all are."""
    counts = ["Number of samples,AU1,3,run", "Number of samples,AU4,5,run"]
    write_printed(tmp_path, *counts, "ours,AU1,.9,run", "ours,AU4,.9,run", "ours,AVG,.9,run", "ours,AU9,.9,run")
    average = Column("AVG", UNITS.name, "f1_binary")
    units = of_units([[0.9] * 4] * 4)
    made = archive(tmp_path, [units])
    t = table(*F1, average)
    shown = result(made, t)
    number = {c.column: c for c in shown.cells if c.row == "Number of samples"}
    assert {name: (c.paper, c.measured) for name, c in number.items()} == {
        "AU1": ("3", 3),
        "AU4": ("5", 2),
        "AVG": ("", None),
    }
    assert "positives differ" in number["AU4"].note and not number["AU1"].note
    assert number["AVG"].note == "differs from print for some units"
    ours = {c.column: c for c in shown.cells if c.row == "ours" and c.paper}
    assert {name: c.comparable for name, c in ours.items()} == {"AU1": True, "AU4": False, "AVG": False, "AU9": True}
    assert tables.texts(ours["AU4"])[4] == "" and ours["AU4"].note.endswith("the printed number is for other samples")
    assert tables.texts(ours["AU1"])[4] != "" and "other samples" not in ours["AU1"].note
    said, code = tables.strict(made.session, [shown])
    assert "2 cells that the authors ran, 0 without a number yet, 2 compared" in said.splitlines()[0]
    assert said.splitlines()[0].endswith("; 2 not compared, because their printed numbers are for other samples")
    assert not [line for line in said.splitlines() if "Number of samples" in line]
    write_printed(tmp_path, "Number of samples,AU1,3,run", "ours,AVG,.9,run")
    found, _ = cells(tmp_path, t, [units])
    assert found["ours", "AVG"].comparable and not found["Number of samples", "AVG"].note


def test_an_accuracy_of_other_samples_is_not_compared_either(tmp_path):
    counts = ("Number of samples,AU1,3,run", "Number of samples,AU4,5,run")
    write_printed(tmp_path, *counts, "ours,AU1,.9,run", "ours,AU4,.9,run")
    t = table(*(Column(f"AU{au}", UNITS.name, "accuracy", au=au) for au in (1, 4)))
    found, _ = cells(tmp_path, t, [of_units([[0.9] * 4] * 4)])
    assert found["ours", "AU1"].comparable and not found["ours", "AU4"].comparable


def test_positives_that_another_table_of_the_task_prints_count_too(tmp_path):
    """As in Tables 1 and 4 of SCA: one experiment, and one printed number in both."""
    write_printed(tmp_path, "Number of samples,AU1,3,run", "Number of samples,AU4,5,run", "ours,AU4,.9,run")
    (tmp_path / "tables" / "table1.csv").rename(tmp_path / "tables" / "table4.csv")
    write_printed(tmp_path, "ours,AU1,.9,run", "ours,AU4,.9,run", "ours,AVG,.9,run")
    made = archive(tmp_path, [of_units([[0.9] * 4] * 4)])
    t = table(*F1[:2], Column("AVG", UNITS.name, "f1_binary"))
    made.session.paper.tables = (t, replace(t, name="table4"))
    found = {(c.row, c.column): c for c in result(made, t).cells}
    assert {name: found["ours", name].comparable for name in ("AU1", "AU4", "AVG")} == dict(
        AU1=True, AU4=False, AVG=False
    )
    assert ("Number of samples", "AU4") not in found


@pytest.mark.parametrize(("rule", "said"), [("val", True), ("last", False)])
def test_whether_the_yardstick_learns_from_more_is_said(rule, said, tmp_path):
    records = deepcopy(SEEDS[0])
    for each in records:
        each["predictions"]["epochs"]["val"] = each["predictions"]["epochs"]["last"]
    _, made = cells(tmp_path, table(ACC), [experiment(records)], rule=rule)
    assert any("which the rows leave a fifth to validation" in line for line in made.remarks) == said


def test_remarks_on_one_seeds_pretraining_name_the_seed():
    runs = [replace(experiment(records, seed=seed), history=(0.5,)) for seed, records in enumerate(SEEDS)]
    runs[0].session.paper.remarks = lambda _, history, records: ["weights: random", *(f"loss {e}" for e in history)]
    assert remarks_on(runs)[-2:] == ["weights: random", "loss 0.5 (seed 0 of 2)"]
    assert remarks_on(runs[:1])[-2:] == ["weights: random", "loss 0.5"]


def test_experiments_of_one_row_are_told_apart():
    """As those of MTMNet, whose columns set the macro corpus."""
    rows = (Row("a"), Row("b"))
    columns = [Column(name, "casme2-3", "accuracy", changes={"macro": name}) for name in ("CK+", "MMI")]
    t = Table("table2", "Table 2", (*columns, Column("plain", "samm-3", "accuracy")), rows)
    both = {("b", "MMI"): ("b", "CK+")}  # one experiment in two columns

    def experiments(row, column):
        place = row.name, column.name
        return [Hashed(SimpleNamespace(task=column.task, seed=0, done=True, of=both.get(place, place)))]

    session = SimpleNamespace(paper=SimpleNamespace(tables=(t,)))
    found = {e.of: name for e, name in finished(SimpleNamespace(session=session, experiments=experiments)).items()}
    assert found == {
        ("a", "CK+"): "a (macro=CK+)",
        ("a", "MMI"): "a (macro=MMI)",
        ("a", "plain"): "a",
        ("b", "CK+"): "b",
        ("b", "plain"): "b",
    }


class Hashed:
    """A thing that is a key by its `of`."""

    def __init__(self, thing):
        self.__dict__.update(vars(thing))

    def __hash__(self):
        return hash(self.of)

    def __eq__(self, other):
        return self.of == other.of


def of_papers_tables(tmp_path, *experiments):
    """A session of two tables whose rows are one experiment; the first prints no accuracy."""
    (tmp_path / "tables").mkdir()
    for name, rows in (("table1", ("ours,UF1,0.8,run",)), ("table2", ("MA,Acc (%),75.00,run", "MA,UF1,0.8,cited"))):
        (tmp_path / "tables" / f"{name}.csv").write_text("\n".join(("row,column,value,source", *rows)) + "\n")
    first = table(ACC, UF1)
    second = Table("table2", "Table 2", (ACC, UF1), (Row("MA"),))
    made = archive(tmp_path, experiments)
    made.session.paper.tables = (first, second)
    return made, (first, second)


def test_a_blank_cell_that_another_table_prints_is_shown_with_its_name(tmp_path):
    made, both = of_papers_tables(tmp_path, experiment(SEEDS[0]))
    results = [result(made, t) for t in both]
    shown = {(r.table.name, c.row, c.column): tables.texts(c)[2] for r in results for c in r.cells}
    assert shown["table1", "ours", "Acc (%)"] == "75.00 (table2)" and shown["table1", "ours", "UF1"] == "0.8"
    assert shown["table2", "MA", "Acc (%)"] == "75.00" and shown["table2", "MA", "UF1"] == "0.8 (cited)"
    (cell,) = [c for c in results[0].cells if (c.row, c.column) == ("ours", "Acc (%)")]
    assert cell.difference == pytest.approx(0)
    said, _ = tables.strict(made.session, results)
    assert "2 cells that the authors ran" in said  # each printed number once


@pytest.mark.parametrize(
    "other",
    [
        Row("ours", output="teacher"),
        Row("ours", records="another/table1/x"),
        Column("Acc (%)", "casme2-3", "accuracy"),
        Column("Acc (%)", "casme2-3", "accuracy", 100, corpus="SAMM"),
        Column("Acc (%)", "casme2-5", "accuracy", 100),
    ],
    ids=["output", "records", "unit", "corpus", "task"],
)
def test_what_another_experiment_or_score_prints_is_not_borrowed(tmp_path, other):
    made, (_, second) = of_papers_tables(tmp_path, experiment(SEEDS[0]))
    rows, columns = ((other,), (ACC,)) if isinstance(other, Row) else ((Row("ours"),), (other,))
    first = Table("table1", "Table 1", columns, rows)
    made.session.paper.tables = (first, second)
    numbers = printed.printed_elsewhere(made.session.paper)
    assert printed.scored(made.session.paper, rows[0], columns[0]) not in numbers or rows[0].records
    assert len(numbers) == 1


def test_the_constant_baseline_stands_last(tmp_path):
    _, made = cells(tmp_path, table(ACC, UF1), [experiment(SEEDS[0])])
    acc, uf1 = made.cells[-2:]
    assert acc.row == uf1.row == "constant baseline (largest class)"
    assert acc.measured == pytest.approx(50) and uf1.measured == pytest.approx(2 / 3 / 3)


def test_partial_runs_say_how_far_they_are_and_give_no_number(tmp_path):
    found, _ = cells(tmp_path, table(ACC), [experiment(SEEDS[0], folds=8)])
    assert found["ours", "Acc (%)"].measured is None and found["ours", "Acc (%)"].note == "2 of 8 folds"
    found, made = cells(tmp_path, table(ACC), [experiment(SEEDS[0][:1]), experiment(SEEDS[1][:1], seed=1)])
    assert found["ours", "Acc (%)"].measured is None and found["ours", "Acc (%)"].note == "2 of 4 folds"


def test_missing_corpora_and_cited_rows_stand_in_their_cells(tmp_path):
    write_printed(tmp_path, "Someone,Acc (%),61.5,cited", "Someone,UF1,0.5,cited", "ours,Acc (%),70.25,run")
    t = table(ACC, rows=(Row("ours"), Row("other")))
    made = result(archive(tmp_path, []), t, lambda row, column: ["SAMM not found; looked for x"])
    found = {(c.row, c.column): c for c in made.cells}
    assert found["ours", "Acc (%)"].note == "not run"
    assert made.remarks == ("not run: SAMM not found; looked for x",)  # once, under the table
    assert found["ours", "Acc (%)"].paper == "70.25"
    assert tables.texts(found["Someone", "Acc (%)"])[:4] == ("Someone", "Acc (%)", "61.5 (cited)", "")
    assert ("Someone", "UF1") not in found  # a column that was not asked for


def test_a_printed_cell_of_a_row_that_is_not_run_there_is_shown(tmp_path):
    """As where a paper runs a method on one task and cites it on another."""
    other = Column("SAMM (%)", "samm-3", "accuracy", 100)
    write_printed(tmp_path, "ours,Acc (%),70.25,run", "ours,SAMM (%),86.35,cited")
    t = table(ACC, other, rows=(Row("ours", tasks=("casme2-3",)),))
    found, _ = cells(tmp_path, t, [experiment(SEEDS[0])])
    assert found["ours", "Acc (%)"].measured is not None
    assert found["ours", "SAMM (%)"].measured is None
    assert tables.texts(found["ours", "SAMM (%)"])[:4] == ("ours", "SAMM (%)", "86.35 (cited)", "")


def test_records_of_other_code_are_remarked(tmp_path):
    records = [SEEDS[0][0], dict(SEEDS[0][1], code="def")]
    _, made = cells(tmp_path, table(ACC), [experiment(records)])
    assert "casme2-3: 1 of 2 records were made by other code (def)" in made.remarks
    _, made = cells(tmp_path, table(ACC), [experiment(SEEDS[0])])
    assert not any("other code" in remark for remark in made.remarks)
    assert made.remarks.count("input: narrow") == 1  # what the paper has to say of them
    assert any(remark.startswith("casme2-3: 4 samples of 2 subjects, 2 of 2 folds") for remark in made.remarks)


def test_under_a_table_stands_what_it_was_made_with(tmp_path):
    _, made = cells(tmp_path, table(ACC, UF1), [experiment(SEEDS[0]), experiment(SEEDS[1], seed=1)])
    assert made.remarks[:3] == (
        "seeds: 2; scale: paper",
        "data: CASME2 (2014), SAMM (header in row 1), AFEW",
        "weights: random",
    )
    how = dict(generated=True, scale="smoke", overrides={"epochs": "2", "lr": "0.1"})
    _, made = cells(tmp_path, table(ACC), [experiment(SEEDS[0])], **how)
    assert made.remarks[:2] == (
        "seeds: 1; scale: smoke; set: epochs=2; set: lr=0.1",
        "data: synthetic faces in the layouts of CASME2 (2014), SAMM (header in row 1), AFEW",
    )
    _, made = cells(tmp_path, table(ACC), [])
    assert made.remarks == ("not run: no records",)


def test_a_remark_on_cells_names_the_rows_that_are_whole():
    every = [(row, column) for row in ("a", "b", "c") for column in ("x", "y", "z")]
    assert scope([*every[:3], ("c", "z"), ("b", "y"), ("b", "z")], every) == " [rows: a; c (z); b (y, z)]"
    assert scope([(row, "y") for row in "abc"], every) == " [columns: y]" and scope(every, every) == ""


def test_a_remark_on_some_of_the_rows_names_them(tmp_path):
    starts = {"a, b": "random", "c": "a file", "d": "a file", "e": None}
    runs = {row: [experiment(SEEDS[0], config=start)] if start else [] for row, start in starts.items()}
    made = archive(tmp_path, runs, of=lambda found: lambda row, column: found[row.name])
    made = result(made, table(ACC, rows=tuple(map(Row, starts))))
    assert made.remarks[-1] == "not run: no records [rows: e]"
    weights = [line for line in made.remarks if line.startswith("weights: ")]
    assert weights == ["weights: random [rows: a, b]", "weights: a file [all rows but a, b]"]
    assert "input: narrow" in made.remarks


class Checked(HTMLParser):
    """Every tag is closed, in order; nothing but data: is loaded."""

    VOID = {"meta", "img", "br", "!doctype"}

    def __init__(self, content):
        super().__init__()
        self.open, self.sources, self.tags, self.said = [], [], [], ""
        self.feed(content)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said += data if "style" not in self.open else ""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (dict(generated=True, scale="smoke"), "synthetic faces: not comparable with the paper"),
        (dict(scale="smoke"), "smoke scale: not comparable with the paper"),
        (dict(), None),
    ],
)
def test_everything_printed_says_what_it_is(tmp_path, how, said):
    write_printed(tmp_path, "ours,Acc (%),70.25,run")
    t = table(ACC, UF1)
    (run,) = found = [experiment(SEEDS[0])]
    made = archive(tmp_path, found, **how)
    results = [result(made, t)]
    html = page(made, results, {run: "ours"})
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(made, results))))
    for content in (as_text(made, results), tables.as_markdown(made, results), html):
        assert (said in content) if said else ("not comparable" not in content)
        assert "leak: best_on_test − last" in content and "weights: random" in content
    assert {row["remark"] for row in rows} == {said or ""}
    assert all(row["remarks"].split(" | ") == list(results[0].remarks) for row in rows)
    assert rows[0] | dict(row="ours", column="Acc (%)", printed="70.25", value="75", difference="4.75") == rows[0]
    (line,) = [x for x in tables.as_markdown(made, results).splitlines() if x.startswith("| ours | Acc")]
    assert line.split(" | ")[2:5] == ["70.25", "75.00", "+4.75"]

    parsed = Checked(html)
    assert parsed.sources and all(source.startswith(("data:image/png;base64,", "#")) for source in parsed.sources)
    assert "http" not in html and "<script" not in html and "<link" not in html and "@import" not in html
    assert parsed.tags.count("img") == 3 and "Toy <&>: printed and measured" in parsed.said
    assert "75.00" in parsed.said and "constant baseline" in parsed.said


def test_the_page_of_runs_that_are_not_done_has_its_tables_alone(tmp_path):
    t = table(ACC)
    made = archive(tmp_path, [experiment(SEEDS[0], folds=3)])
    html = page(made, [result(made, t)], {})
    assert "2 of 3 folds" in Checked(html).said and "<img" not in html


def test_curves_are_means_over_the_folds():
    first, second = SEEDS[0]
    other = [{"epoch": 1, "loss": 3.0, "test": 0.1}, {"epoch": 2, "loss": 1.5, "test": 0.25}]
    (figure,) = training_curves({experiment([first, second | {"history": other}]): "ours"})
    for axis, name, expected in zip(
        figure.plot.axes, ("training loss", "test fold"), ([2, 1], [0.3, 0.5]), strict=True
    ):
        (line,) = axis.lines
        assert name in axis.get_ylabel() and list(line.get_xdata()) == [1, 2]
        assert list(line.get_ydata()) == pytest.approx(expected)


def test_shares_of_subjects_stand_above_their_names():
    """Of s1 one of two is right, of s2 both, of s3, who has the most clips, one of three."""
    records = [*SEEDS[0], record("s3", [0, 1, 2], [0, 0, 0], [0, 0, 0])]
    (figure,) = subjects({experiment(records, folds=3): "ours"})
    (axis,) = figure.plot.axes
    (line,) = axis.lines
    assert [label.get_text() for label in axis.get_xticklabels()] == ["s3 (3)", "s1 (2)", "s2 (2)"]
    assert list(line.get_ydata()) == pytest.approx([1 / 3, 1 / 2, 1])


@pytest.mark.parametrize("names", [("CASME/sub01", "CASME2/sub01"), ("sub01", "sub02")])
def test_subjects_of_several_corpora_are_told_apart(names):
    first, second = (f"CASME2/{name}" if "/" not in name else name for name in names)
    records = [record(first, [0, 0], [0, 1], [0, 0]), record(second, [1, 2], [1, 2], [1, 2])]
    (figure,) = subjects({experiment(records): "ours"})
    labels = [label.get_text() for label in figure.plot.axes[0].get_xticklabels()]
    assert labels == [f"{name} (2)" for name in names]


def test_a_drawn_confusion_matrix_has_the_labelled_classes_down():
    """Of 0 0 1 2 the network says 0 1 1 2; a column is what is said, and a row is coloured by its shares."""
    (figure,) = confusion_matrices({experiment(SEEDS[0]): "ours"})
    (axis,) = figure.plot.axes
    counts = {text.get_position(): int(text.get_text()) for text in axis.texts}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "labelled")
    assert counts == {(x, y): {(0, 0): 1, (1, 0): 1, (1, 1): 1, (2, 2): 1}.get((x, y), 0) for x, y in np.ndindex(3, 3)}
    assert axis.images[0].get_array().tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]


def test_bars_along_rows_reach_from_the_low_end_to_the_high_one():
    rows = [Cell("δ 1", "UF1", measured=0.5, low=0.2, high=0.6), Cell("δ 2", "UF1", measured=0.7, low=0.65, high=0.9)]
    (figure,) = along_rows(Result(table(UF1), tuple(rows), ()), "", "")
    (_, _, (bars,)) = figure.plot.axes[0].containers[0]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [
        pytest.approx([0.2, 0.6]),
        pytest.approx([0.65, 0.9]),
    ]


def test_a_map_lies_over_its_image_as_the_image_lies():
    """Its first row above, and over the same pixels."""
    (figure,) = confusion_matrices({experiment(SEEDS[0]): "ours"})
    axis = figure.plot.add_subplot()
    axis.imshow(np.zeros((8, 8)))
    overlay(axis, np.eye(2), 8)
    face, heat = axis.images
    assert heat.get_extent() == face.get_extent() and heat.origin == face.origin == "upper"
