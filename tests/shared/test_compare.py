"""The command `compare`: its cells against scikit-learn on the records, what it runs, reuses and refuses."""

import csv
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score
from toy.corpus import read_sheet, write_sheet
from toy.forked import python
from toy.left import answered, halves, records, table

from shared import cli
from shared.report import comparison, side_by_side
from shared.report.cells import Cell, Predictions
from shared.report.comparison import chosen_columns, chosen_methods, columns_of
from shared.runs import yardstick
from shared.runs.paper import Column, Row
from shared.runs.yardstick import YARDSTICK
from shared.tasks import TASKS


@pytest.fixture
def compare(capsys, monkeypatch):
    """Runs `compare` of the toy alone, in this process: (exit code, standard output, standard error)."""
    monkeypatch.setattr(cli, "papers", lambda: {"toy": "Toy"})
    monkeypatch.setattr(yardstick, "tvl1", lambda a, b: (b - a.float())[:, None].repeat(1, 2, 1, 1))

    def run(*arguments, draw=False):
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            if not draw:
                patch.setattr(side_by_side, "as_page", lambda *_, **__: "no page")
            cli.main(None, ["compare", *map(str, arguments), "--processes", "1"])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def lines(out) -> dict[tuple[str, str], dict[str, str]]:
    (path,) = out.glob("compare/*/comparison.csv")
    with open(path, newline="", encoding="utf-8") as file:
        return {(line["method"], line["column"]): line for line in csv.DictReader(file) if not line["published"]}


def test_a_comparison_of_the_toy(compare, toy, casme2, tmp_path, monkeypatch):
    """Cells are scikit-learn's on the records; records of the paper's own tables are reused; a second start runs
    nothing; a column whose corpus is missing says so."""
    out = tmp_path / "out"
    shared = "--data", casme2, "--out", out
    toy("table1/plain", *shared)
    line = dict(method="Theirs", column="casme2-5 UF1", value="0.5", source="a paper", protocol="p", selection="s")
    monkeypatch.setattr(comparison, "published_numbers", lambda folder: [line, line | {"column": "elsewhere"}])
    code, printed, err = compare("emotion", "casme2-5", "casme2-3", "samm-3", *shared, "--methods", "toy", draw=True)
    assert code == 0 and "toy casme2-5" not in err and "toy casme2-3 default [4/4]" in err
    found = lines(out)
    assert {method for method, _ in found} == {"linear SVM on flow", "toy"} and len(found) == 2 * 6
    for package, method in (("toy", "toy"), ("yardstick", "linear SVM on flow")):
        for task in ("casme2-5", "casme2-3"):
            target, answers = answered(out / package, f"*/{task}/default/seed-0/*.json")
            labels = list(range(len(TASKS[task].classes)))
            uf1 = f1_score(target, answers, labels=labels, average="macro", zero_division=0)
            uar = recall_score(target, answers, labels=sorted(set(target)), average="macro", zero_division=0)
            assert float(found[method, f"{task} UF1"]["mean"]) == pytest.approx(uf1, abs=1e-4)
            assert float(found[method, f"{task} UAR"]["mean"]) == pytest.approx(uar, abs=1e-4)
    for cell in (cell for cell in found.values() if cell["mean"]):
        mean, low, high = (f"{float(cell[end]):.3f}" for end in ("mean", "low", "high"))
        assert f"{mean} [{low}, {high}]" in printed
    for metric in ("UF1", "UAR"):
        ours, reference = found["toy", f"casme2-5 {metric}"], found["linear SVM on flow", f"casme2-5 {metric}"]
        difference = float(ours["mean"]) - float(reference["mean"])
        assert float(ours["difference"]) == pytest.approx(difference, abs=2e-4) and not reference["difference"]
        assert float(ours["low of difference"]) <= difference + 1e-4 and 0 < float(ours["p (Holm)"]) <= 1
        assert "not run: SAMM not found" in found["toy", f"samm-3 {metric}"]["records"]
    (page,) = out.glob("compare/*/index.html")
    html = page.read_text(encoding="utf-8")
    for text in (
        printed,
        html,
        page.with_name("comparison.csv").read_text(),
        page.with_name("comparison.md").read_text(),
    ):
        assert text.count("Theirs: 0.5 (a paper; p; epoch: s)") == 1
        assert ("casme2-5: no * can be: with 4 subjects" in text) == (not text.startswith("method,"))
    assert html.count("<img") == 1 and "Forest plot" in html and "settings chosen for nothing" in html
    (markdown,) = out.glob("compare/*/comparison.md")
    table_lines = [line for line in markdown.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [line.strip("| ").split(" | ") for line in table_lines if "[" in line]
    page_rows = re.findall(r"<tr[^>]*><th>(.*?)</th>(.*)</tr>", html)
    shown = {
        name: [" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row.split("</td>")] for name, row in page_rows
    }
    for name, *cells in rows:
        assert [cell for cell in shown[name] if cell] == cells  # the page has the Markdown's cells, over several lines
    code, csv_text, err = compare("emotion", "casme2-5", *shared, "--methods", "toy", "--diff", "--format", "csv")
    plain = list(csv.DictReader(line for line in csv_text.splitlines() if not line.startswith("#")))
    assert code == 0 and "index.html" in err and [row["row"] for row in plain] == ["linear SVM on flow", "toy"]
    for row in plain:
        for column in ("casme2-5 UF1", "casme2-5 UAR"):
            assert row[column] == f"{float(found[row['row'], column]['mean']):.3f}"
    code, latex, _ = compare(
        *("emotion", "casme2-5", *shared, "--methods", "toy", "--diff", "--format", "latex", "--intervals")
    )
    mean, low, high = (f"{float(found['toy', 'casme2-5 UF1'][end]):.3f}" for end in ("mean", "low", "high"))
    assert code == 0 and f"toy & {mean} [{low}, {high}] & " in latex and r"\multicolumn{2}{c}{casme2-5}" in latex
    assert "in brackets: 95 \\% intervals" in latex and "% casme2-5: no * can be: with 4 subjects" in latex
    assert "linear SVM on flow, p $<$ 0.05 after Holm's correction over the other rows here" in latex
    assert "records of more seeds" not in printed
    for package in ("toy", "yardstick"):
        for path in out.glob(f"{package}/*/casme2-5/default/seed-0"):
            (path.parent / "seed-1").mkdir()
            (path.parent / "seed-1" / "CASME2_sub01.json").touch()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")}
    code, again, err = compare("emotion", "casme2-5", *shared, "--methods", "toy", "--leak")
    assert again.count("casme2-5: there are records of more seeds, which --seeds 2 or more shows") == 1
    assert code == 0 and "to run" not in err and " leak +" in again
    assert {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")} == before


def test_who_learns_from_fewer_samples_is_named(compare, casme2, tmp_path, monkeypatch):
    """A method that keeps a validation part, of one person in three, beside a reference that keeps none."""
    paper = cli.load("toy")
    monkeypatch.setattr(cli, "load", lambda name: replace(paper, rule="val"))
    shared = "emotion", "casme2-5", "--data", casme2, "--out", tmp_path / "out", "--methods", "toy"
    code, printed, _ = compare(*shared)
    assert code == 0, printed
    said = "casme2-5: learns from 67% of the samples that others learn from, and keeps the rest for validation"
    assert any(line.strip().startswith(said) and "toy" in line for line in printed.splitlines())


def test_data_of_pretrainings_are_named_apart(compare, with_macro, tmp_path, monkeypatch):
    paper = cli.load("toy")
    (*_, pretrained) = paper.comparison["emotion"]
    method = replace(pretrained, row=Row("toy, pre-trained", pretrain=True, source="CK+"))
    monkeypatch.setattr(cli, "load", lambda name: replace(paper, comparison={"emotion": (method,)}))
    shared = "emotion", "casme2-5", "--data", with_macro("CK+"), "--out", tmp_path / "out", "--skip-broken"
    code, printed, _ = compare(*shared)
    said = [line.strip() for line in printed.splitlines() if line.strip().startswith("data")]
    assert code == 0 and [line.partition(" (")[0] for line in said] == [
        "data: synthetic faces in the layouts of CASME2",
        "data of pre-trainings: CK+",
    ]


def test_records_of_no_table_are_said_to_be(compare, toy, casme2, tmp_path):
    """Of a column that only `compare` has. Records of a table that were left by another --set are named."""
    out = tmp_path / "out"
    assert toy("table1/plain", "--data", casme2, "--out", out, "--set", "epochs=1")[0] == 0
    assert compare("emotion", "casme2-3", "--data", casme2, "--out", out, "--methods", "toy")[0] == 0
    code, printed, said = toy("--diff", "--out", out)
    assert code == 0 and not printed
    assert "no records of toy's tables; `compare` and `claims` show their own" in said
    assert "casme2-5/default/seed-0 is left out: it was run with --set epochs=1" in said


def test_a_row_of_other_samples_says_that_it_is_not_compared():
    cell = Cell("one", "casme2-5 UF1", measured=0.5, low=0.25, high=1.0, note=f"4 of 4 folds; {comparison.OTHERS}")
    number = ["0.500", "[0.250, 1.000]"]
    assert comparison.Compared(cell).lines(leak=False) == [*number, comparison.OTHERS]
    assert comparison.Compared(replace(cell, note="4 of 4 folds")).lines(leak=True) == number
    assert comparison.Compared(replace(cell, note="4 of 4 folds", leak=0.2)).lines(leak=True) == [
        *number,
        "leak +0.200",
    ]


@pytest.mark.parametrize(
    ("p", "low", "high", "star"),
    [
        (0.01, 0.1, 0.3, "*"),
        (0.01, -0.3, -0.1, "*"),
        (0.05, 0.1, 0.3, ""),
        (0.01, -0.1, 0.3, ""),
        (0.01, 0.0, 0.3, ""),
        (0.01, -0.3, 0.0, ""),
        (None, 0.1, 0.3, ""),
    ],
)
def test_a_star_takes_both_the_interval_and_p(p, low, high, star):
    cell = Cell("one", "UF1", measured=0.5, low=0.0, high=1.0, gain=0.2, gain_low=low, gain_high=high)
    assert comparison.Compared(cell, p).lines(leak=False)[2] == f"+0.200 [{low:.3f}, {high:.3f}]{star}"


def test_the_csv_and_the_forest_have_each_end_in_its_place():
    (column,) = [c for c in chosen_columns("emotion", ["casme2-5"]) if c.metric == "uf1"]
    ends = dict(low=0.2, high=0.6, gain=0.1, gain_low=-0.3, gain_high=0.15, leak=0.05, leak_low=0.01, leak_high=0.4)
    cell = Cell("ours", column.name, measured=0.5, **ends)
    made = comparison.Comparison(
        "", "SVM", ("ours",), (column,), {("ours", column.name): comparison.Compared(cell, 0.5)}, (), (), "", ()
    )
    (line,) = csv.DictReader(side_by_side.as_csv(made).splitlines())
    names = "low", "high", "difference", "low of difference", "high of difference", "leak", "low of leak"
    assert [float(line[name]) for name in (*names, "high of leak")] == list(ends.values())
    (_, _, (bar,)) = side_by_side.forest(made).plot.axes[0].containers[0]
    assert bar.get_segments()[0][:, 0].tolist() == pytest.approx([0.2, 0.6])


@pytest.mark.parametrize(
    ("folds", "seeds", "said"),
    [
        (["a"] * 9 + ["b"] * 9, 1, "with 2 networks and Holm's correction over 3 rows, p is 1 or more"),
        (["a"] * 9 + ["b"] * 9, 3, "with 6 networks and Holm's correction over 3 rows, p is 0.094 or more"),
        (["a"] * 9 + ["b"] * 9, 4, ""),
        ([str(i) for i in range(18)], 1, ""),
    ],
)
def test_too_few_networks_leave_no_star(folds, seeds, said):
    """18 people: 2^18 exchanges of people, and 2 to the power of all networks of all seeds."""
    run = Predictions(np.array([f"s{i:02d}" for i in range(18)]), np.zeros(18), np.zeros(18), folds, 2)
    (column,) = [c for c in chosen_columns("emotion", ["casme2-5"]) if c.metric == "uf1"]
    assert comparison._too_few(column, [run] * seeds, 3) == [f"casme2-5: no * can be: {said}"] * bool(said)


def test_the_units_that_a_corpus_scores_are_named():
    (column, _) = chosen_columns("aus", ["corpora-au8"])[:2]
    targets = np.full((4, 8), -1)
    targets[:2, 2], targets[2:, [0, 6]] = 1, 0
    run = Predictions(np.array(list("abcd")), targets, np.zeros((4, 8)), ["CASME", "CASME", "SAMM", "MMEW"], 2)
    (said,) = comparison._units_scored(column, run)
    assert said == (
        "corpora-au8: units scored, with 10 or more samples in a corpus: CASME: AU4; SAMM: AU1, AU15; MMEW: AU1, AU15"
    )
    assert not comparison._units_scored(chosen_columns("aus", ["casme2-au8"])[0], run)


def test_people_on_whose_corpus_a_unit_is_not_scored_do_not_count():
    """Two of five corpora score it: exchanged are, of each of three seeds, two networks, and four people."""
    corpora = [name for name in "abcde" for _ in range(4)]
    targets = np.array([int(i % 2) if corpus in "ab" else -1 for i, corpus in enumerate(corpora)])
    people = np.array([f"{corpus}{i // 2}" for i, corpus in enumerate(corpora)])
    run = Predictions(people, targets[:, None], np.zeros((20, 1)), corpora, 0)
    column = chosen_columns("aus", ["casme2-au8/AU4"])[0]
    (said,) = comparison._too_few(column, [run] * 3, 2)
    assert "with 4 subjects and Holm's correction over 2 rows, p is 0.25 or more" in said


def test_a_reference_without_records_is_named(compare, casme2, tmp_path):
    shared = "emotion", "casme2-5", "--data", casme2, "--out", tmp_path / "out"
    assert compare(*shared, "--methods", "toy", "--reference", "toy")[0] == 0
    code, printed, _ = compare(*shared, "--methods", "toy", "--reference", "largest class", "--diff")
    assert code == 0 and "casme2-5: no differences: largest class: 0 of 4 folds" in printed


def test_more_seeds_take_those_there_are(compare, casme2, tmp_path):
    """--seeds 3 after --seeds 1 trains two more; a cell is the mean of scikit-learn's UF1 of each seed's records."""
    out = tmp_path / "out"
    shared = "emotion", "casme2-5", "--data", casme2, "--out", out, "--methods", "toy"
    assert compare(*shared)[0] == 0
    first = {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")}
    code, _, err = compare(*shared, "--seeds", 3)
    assert code == 0 and "4 experiments to run" in err  # of the toy and of the yardstick
    assert {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")} == first
    each = [
        f1_score(
            *answered(out, f"toy/*/casme2-5/default/seed-{s}/*.json"), labels=range(5), average="macro", zero_division=0
        )
        for s in range(3)
    ]
    cell = lines(out)["toy", "casme2-5 UF1"]
    assert float(cell["mean"]) == pytest.approx(np.mean(each), abs=1e-4) and cell["records"].startswith("12 of 12")


def test_killed_in_two_processes_it_ends_with_the_same_comparison(casme2, tmp_path):
    storm = python("toy.storm", "compare", 1, 1, tmp_path, "emotion", "casme2-5", "--data", casme2, "--seeds", 2)
    came = json.loads(storm.stdout)
    assert set(came["codes"]) == {0} and came["orphans"] == 0 and came["kills"], storm.stderr
    quiet = records(tmp_path / "quiet")
    assert len([name for name in quiet if name.endswith(".json")]) == 4 * 2 * 4 + 2  # folds, seeds, methods; CK+
    for i in range(len(came["codes"]) - 1):
        assert records(tmp_path / str(i)) == quiet and not halves(tmp_path / str(i))
        assert table(tmp_path / str(i), "comparison.csv") == table(tmp_path / "quiet", "comparison.csv")


def test_records_of_another_edition_are_refused(compare, casme2, tmp_path):
    rows = read_sheet(casme2)
    late = [[*row, cell] for row, cell in zip(rows, ["Objective Classes", *[3] * len(rows)], strict=False)]
    write_sheet(casme2, late, "CASME2-coding-20190701.csv")
    shared = "emotion", "casme2-5", "--data", casme2, "--out", tmp_path / "out", "--methods", "toy"
    assert compare(*shared)[0] == 0
    code, _, err = compare(*shared, "--edition", "CASME2=2019")
    assert code == 2 and "editions.CASME2: recorded '2014', now '2019'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["emotion", "casme2-55"], "unknown column of compare emotion 'casme2-55' (nearest: casme2-5"),
        (["emotion", "cde-3/SAM"], "unknown column of compare emotion 'cde-3/SAM' (nearest: cde-3/SAMM"),
        (["emotion", "casme2-5", "--methods", "toi"], "unknown method of compare emotion 'toi' (nearest: toy"),
        (["emotion", "--methods", "toy", "casme2-5"], "casme2-5 is a column, not a method: columns stand before"),
        (["aus", "--reference", "LBP"], "unknown method of compare aus 'LBP'"),
        (["emotion", "corpora-3"], "none of the chosen rows can run on this data:\n  CASME3 not found"),
        (["emotion", "samm-3"], "none of the chosen rows can run on this data:\n  SAMM not found"),
        (["emotion", "--edition", "CASME=1"], "unknown edition of CASME '1'"),
    ],
)
def test_what_cannot_be_compared_is_named(compare, casme2, tmp_path, arguments, message):
    code, _, err = compare(*arguments, "--data", casme2, "--out", tmp_path / "out")
    assert code == 2 and message in err, err


def test_columns_by_their_names():
    assert [c.name for c in chosen_columns("emotion", ["cde-3/SAMM", "samm-5"])] == [
        *("cde-3/SAMM UF1", "cde-3/SAMM UAR", "samm-5 UF1", "samm-5 UAR")
    ]
    parts = {c.corpus for c in chosen_columns("emotion", ["cde-3"])}
    assert parts == {None, "CASME2", "SAMM", "SMIC"}
    every = chosen_columns("aus", [])
    assert {c.au for c in every} == {None} and {c.metric for c in every} == {"f1_macro", "f1_binary"}
    assert {c.au for c in chosen_columns("aus", ["casme2-au8/AU4"])} == {4}
    for name, (column, *_) in (columns_of("emotion") | columns_of("aus")).items():
        mean = column.task.startswith("corpora-") and not column.corpus
        assert column.joined == ("mean of folds" if mean else "pooled"), name
    assert all(len(columns) == 2 for kind in comparison.KINDS for columns in columns_of(kind).values())


def test_p_of_a_column_is_by_networks_too_and_corrected_over_its_rows():
    """Four people by two networks: right against wrong, 2 of 4 exchanges of networks leave the difference as large, so
    p is 1/2, and twice that for two rows."""
    people, folds = np.array(list("abcd")), list("xxyy")
    wrong, right = (Predictions(people, np.ones(4, int), np.full(4, v), folds, 2) for v in (0, 1))
    first, cell = (SimpleNamespace(over=lambda _, gain=gain: SimpleNamespace(gain=gain)) for gain in (None, 1.0))
    column = Column("accuracy", "casme2-5", "accuracy")
    for methods, p in (("a", 0.5), ("ab", 1.0)):
        cells, runs = {"reference": first} | dict.fromkeys(methods, cell), {"reference": [wrong]}
        found = comparison._differences(cells, runs | dict.fromkeys(methods, [right]), column, "reference")
        assert {name: found[name].p for name in methods} == dict.fromkeys(methods, p)


def test_every_method_and_column_is_listed(capsys):
    assert cli.run(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for kind in ("emotion", "aus"):
        start = lines.index(f"compare {kind}: columns {', '.join(columns_of(kind))}") + 1
        listed = [name for line in lines[start:] for name in re.sub(r"  methods of \w+: ", "", line).split(", ")]
        methods = chosen_methods([YARDSTICK, *map(cli.load, cli.papers())], kind, [], "linear SVM on flow")
        names = [method.row.name for _, method in methods]
        assert listed[: len(names)] == names


def test_every_method_of_the_issue_is_declared_and_has_its_settings():
    papers = [YARDSTICK, *map(cli.load, cli.papers())]
    names = {
        kind: [m.row.name for _, m in chosen_methods(papers, kind, [], "linear SVM on flow")]
        for kind in ("emotion", "aus")
    }
    assert (
        len(names["emotion"]) == len(set(names["emotion"])) == 11 and len(set(names["aus"])) == len(names["aus"]) == 12
    )
    for kind in names:
        for paper, method in chosen_methods(papers, kind, [], "linear SVM on flow"):
            assert method.tuned or paper is YARDSTICK
            for column, *_ in columns_of(kind).values():
                for scale in ("smoke", "paper"):
                    config = paper.base(scale, {}).__class__(
                        **{**vars(paper.base(scale, {})), **method.row.changes, **method.on(column).changes}
                    )
                    needs = paper.pretraining(config, TASKS[column.task])
                    assert needs is None or paper.pretrain and needs["corpora"]
