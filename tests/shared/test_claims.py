"""The command `claims`: splits, numbers against scikit-learn on the records, verdicts, power, resuming."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from toy.forked import python
from toy.left import answered, halves, records

from shared import claims, cli
from shared.metrics import bootstrap, interval
from shared.protocols import ProtocolError, kfold, loso, with_people
from shared.runs.paper import Column
from shared.tasks import HALVES, TASKS


@pytest.fixture
def claim(capsys, monkeypatch):
    """Runs `claims` of the toy alone, in this process: (exit code, standard output, standard error)."""
    monkeypatch.setattr(cli, "papers", lambda: {"toy": "Toy"})

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(None, ["claims", *map(str, arguments), "--processes", "1"])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def people_of(clips: int = 3, people: int = 9) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"{p}/{c}", str(p)) for p in range(people) for c in range(clips)], columns=("sample", "subject")
    )


@pytest.mark.parametrize("seed", range(4))
def test_fewer_people_are_among_more_and_nothing_else_changes(seed):
    samples = people_of()
    whole = kfold(samples, 2, seed)
    smaller = [with_people(whole, samples, n, seed) for n in (1, 2, 4)]
    for folds in zip(*smaller, whole, strict=True):
        assert len({fold.test for fold in folds}) == 1 and not any(fold.val for fold in folds)
        for few, more in zip(folds, folds[1:], strict=False):
            assert set(few.train) < set(more.train) or few.train == more.train
    for n, folds in zip((1, 2, 4), smaller, strict=True):
        for fold in folds:
            people = {i.partition("/")[0] for i in fold.train}
            assert len(people) == n and set(fold.train) == {
                i for i in samples["sample"] if i.partition("/")[0] in people
            }
            assert not people & {i.partition("/")[0] for i in fold.test}
    assert len({with_people(whole, samples, 2, s)[0].train for s in range(20)}) > 3
    with pytest.raises(ProtocolError, match="fold1: 6 people are to be trained on, and there are"):
        with_people(whole, samples, 6, seed)


def test_each_fold_draws_its_people_for_itself():
    """Of nine people eight train in a fold: two of each eight, and not the same two places of all."""
    samples = people_of()
    folds = with_people(loso(samples), samples, 2)
    assert len({frozenset(i.partition("/")[0] for i in fold.train) for fold in folds}) > 4


def test_the_claim_of_the_toy(claim, casme2, tmp_path):
    """Rows are pre-trained once for all sizes; more seeds take those there are; a second start runs nothing."""
    out = tmp_path / "out"
    shared = "--data", casme2, "--out", out, "--people", 1, 2, "--seeds", 1
    code, printed, err = claim(*shared, "--seeds", 1)
    assert code == 0 and "not run" not in printed and err.count("pre-training") > 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")}
    code, printed, err = claim(*shared, "--seeds", 2)
    assert code == 0 and "4 experiments to run" in err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("seed-0/*.json")} == before
    assert len(list(out.rglob("pretraining/*/*/record.json"))) == 2
    code, again, err = claim(*shared, "--seeds", 2)
    assert code == 0 and "to run" not in err and again.partition("claims:")[0] == printed.partition("claims:")[0]
    assert claim(*shared, "--diff", "--seeds", 5)[0] == 0
    with open(out / "claims" / "claims-paper.csv", newline="") as file:
        assert [line["seeds"] for line in csv.DictReader(file)] == ["2", "2"]  # of five, these are done
    with open(out / "claims" / "claims-paper.csv", newline="") as file:
        found = {int(line["people"]): line for line in csv.DictReader(file)}
    for people in (1, 2):
        means = {}
        for name, identity in (("without", ""), ("with", ",pretrain=True")):
            runs = [
                answered(out, f"claims/toy/*/casme2-5-halves/people={people}{identity}/seed-{seed}/*.json")
                for seed in (0, 1)
            ]
            each = [f1_score(*run, labels=range(5), average="macro", zero_division=0) for run in runs]
            means[name] = np.mean(each)
            assert all(len(run[0]) == 12 for run in runs)
            assert float(found[people][name]) == pytest.approx(np.mean(each), abs=1e-5)
        line = {key: float(found[people][key]) for key in ("difference", "low", "high", "p", "power")}
        assert line["difference"] == pytest.approx(means["with"] - means["without"], abs=1e-5)
        assert line["low"] <= line["difference"] <= line["high"] and 0 < line["p"] <= 1 >= line["power"]
        assert found[people]["verdict"] in ("shown", "refuted", "undecided")
        (record, *_) = out.glob(f"claims/toy/*/casme2-5-halves/people={people}/seed-0/*.json")
        assert json.loads(record.read_text())["config"]["people"] == people


def experiment(*seeds: str):
    """Experiments, a seed each, in which each of two networks answers for two people: r is right, w is wrong."""
    classes, found = TASKS["casme2-5"].classes, []
    for answers in seeds:
        records = []
        for fold, people in (("fold1", "ab"), ("fold2", "cd")):
            scores = [np.eye(len(classes))[int(answers["abcd".index(p)] == "w")].tolist() for p in people]
            predictions = {"epochs": {"last": {"accuracy": {"": "1"}}}, "scores": {"1": {"": scores}}}
            of = dict(fold=fold, subjects=list(people), corpora=["CASME2"] * 2, targets=[0, 0], predictions=predictions)
            records.append(of)
        title = SimpleNamespace(title="a paper")
        found.append(SimpleNamespace(paper=title, missing=list, folds=records, records=lambda records=records: records))
    return found


def claimed(over: Sequence[str], row: Sequence[str]) -> dict:
    side = SimpleNamespace(output="")
    column = Column("accuracy", "casme2-5", "accuracy")
    made = SimpleNamespace(text="", metric="accuracy", task="casme2-5", over=side, row=side, column=lambda _: column)
    return claims.measured(made, 3, experiment(*over), experiment(*row))


def test_p_is_by_people_and_by_networks_and_the_interval_over_seeds():
    """Of four people by two networks, all right against all wrong, 2 of 4 exchanges of networks leave the difference;
    over two seeds 2 of 16. Of one seed that is all right and one all wrong a draw is right in 0, 1/2 or all."""
    assert claimed(["wwww"], ["rrrr"])["p"] == 1 / 2
    assert claimed(["wwww"] * 2, ["rrrr"] * 2)["p"] == 1 / 8
    line = claimed(["wwww"] * 2, ["rrrr", "wwww"])
    assert (line["low"], line["difference"], line["high"]) == (0, 0.5, 1)


def test_the_power_is_that_of_paired_rows():
    """Rows that are right and wrong together differ in no draw, however much their numbers differ between draws."""
    line = claimed(["wrrw", "rrww"], ["wrrw", "rrww"])
    assert (line["standard error"], line["power"]) == (0, 1)
    line = claimed(["wwww"] * 2, ["rrrr", "wwww"])  # of two seeds a draw holds the first never, once or twice
    assert line["standard error"] == pytest.approx(0.125**0.5, abs=0.02)
    assert line["power"] == claims.power(line["standard error"]) < 0.06


@pytest.mark.parametrize("side", [0, 1])
def test_a_line_that_is_not_whole_says_what_there_is(side):
    pair = experiment("wwww"), experiment("rrrr")
    made = SimpleNamespace(text="", metric="accuracy")
    pair[side][0].records = lambda: pair[side][0].folds[:1]
    assert claims.measured(made, 3, *pair)["verdict"] == "not run: 3 of 4 folds of a seed"
    pair[side][0].missing = lambda: ["no CASME II", "no SAMM"]
    line = claims.measured(made, 3, *pair)
    assert line["verdict"] == "not run: no CASME II; no SAMM" and line["seeds"] == 0


def test_p_of_all_lines_is_corrected_together():
    line = dict(paper="", claim="", metric="uf1", people=3, seeds=5, low=0.01, high=0.1, constant=0.1)
    line |= {"verdict": "", "without": 0.2, "with": 0.3, "difference": 0.1, "standard error": 0.1, "power": 0.1}
    table = claims.tested([line | {"p": p} for p in (0.03, 0.04)])
    assert table["p"].tolist() == pytest.approx([0.06, 0.06]) and set(table["verdict"]) == {"undecided"}
    assert claims.tested([line | {"p": 0.03}])["verdict"].tolist() == ["shown"]


def test_lines_in_which_nothing_can_be_shown_are_named():
    """With 5 units p is 1/16 or more; with 6 it is 1/32, and of two such lines, after Holm's correction, 1/16."""
    lines = [{"paper": "One", "people": 3, "units": u} for u in (5, 6, 10)] + [{"paper": "not run"}]
    assert [line.rpartition(": ")[2] for line in claims.too_few(lines)] == [
        "with 5 networks or people in the test p is 0.062 or more",
        "with 6 networks or people in the test p is 0.062 or more",
    ]
    assert not claims.too_few(lines[1:2])


def test_killed_in_two_processes_it_ends_with_the_same_claims(casme2, tmp_path):
    arguments = "--data", casme2, "--people", 1, 2, "--seeds", 1
    storm = python("toy.storm", "claims", 1, 1, tmp_path, *arguments)
    came = json.loads(storm.stdout)
    assert set(came["codes"]) == {0} and came["orphans"] == 0 and came["kills"], storm.stderr
    quiet = records(tmp_path / "quiet")
    assert (
        len([name for name in quiet if name.endswith(".json")]) == 2 * 2 * 2 + 1
    )  # sizes, rows, folds; a pre-training
    for i in range(len(came["codes"]) - 1):
        assert records(tmp_path / str(i)) == quiet and not halves(tmp_path / str(i))
        texts = {(tmp_path / folder / "claims" / "claims-smoke.csv").read_text() for folder in (str(i), "quiet")}
        assert len(texts) == 1


def test_more_people_than_half_of_those_drawn_are_refused_before_any_is_drawn(claim, tmp_path):
    code, _, err = claim("--people", 3, 13, "--out", tmp_path / "out")
    assert code == 2 and "give at most 12" in err and not (tmp_path / "out").exists()


def test_an_output_folder_can_be_moved(tmp_path):
    """The corpora that it shares with other runs are linked within it; a link that leads nowhere is made anew."""
    for name in ("claims/faces", "faces/SAMM", "claims/faces/CASME2"):
        (tmp_path / "a" / name).mkdir(parents=True, exist_ok=True)
    claims.draw(tmp_path / "a/claims/faces", tmp_path / "a/faces", ["CASME2", "SAMM"])
    (tmp_path / "a").rename(tmp_path / "b")
    assert (tmp_path / "b/claims/faces/SAMM").samefile(tmp_path / "b/faces/SAMM")
    (tmp_path / "b/claims/faces/SAMM").unlink()
    (tmp_path / "b/claims/faces/SAMM").symlink_to("/nowhere")
    claims.draw(tmp_path / "b/claims/faces", tmp_path / "b/faces", ["CASME2", "SAMM"])
    assert (tmp_path / "b/claims/faces/SAMM").samefile(tmp_path / "b/faces/SAMM")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--people", "3"], "fold fold1: 3 people are to be trained on, and there are 2"),
        (["to"], "unknown paper 'to' (nearest: toy)"),
    ],
)
def test_what_cannot_be_claimed_is_said(claim, casme2, tmp_path, arguments, message):
    code, _, err = claim(*arguments, "--data", casme2, "--out", tmp_path / "out")
    assert code == 2 and message in err and not list(tmp_path.rglob("seed-*/*.json"))


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.01, 0.20, 0.01, "shown"),
        (0.01, 0.04, 0.01, "shown"),  # small, and above 0
        (0.01, 0.20, 0.06, "undecided"),  # several lines are tested at once
        (0.01, 0.20, 0.05, "undecided"),
        (-0.01, 0.20, 0.01, "undecided"),
        (0.00, 0.20, 0.01, "undecided"),
        (-0.03, 0.04, 0.70, "refuted"),  # a gain of .05 is left out
        (-0.09, -0.01, 0.01, "refuted"),
        (-0.09, 0.05, 0.70, "undecided"),
    ],
)
def test_a_verdict(low, high, p, verdict):
    assert claims.verdict(low, high, p) == verdict


def test_no_verdict_on_rows_that_learned_nothing():
    """Both answer as the constant does: whatever their difference, it says nothing about the claim."""
    line = {"p": 1.0, "low": 0.0, "high": 0.0, "constant": 0.1, "verdict": ""}
    not_run = {"verdict": "not run: CASME2 not found"}
    table = claims.tested([line | {"without": 0.1, "with": 0.1}, line | {"without": 0.1, "with": 0.2}, not_run])
    assert table["verdict"].tolist() == ["undecided", "refuted", not_run["verdict"]]


def test_without_records_diff_draws_nothing(claim, tmp_path):
    code, printed, err = claim("--diff", "--out", tmp_path / "out")
    assert code == 2 and "is not there: without --diff, claims draws it" in err
    assert not printed and not list(tmp_path.rglob("*.jpg"))


def test_power_in_closed_form():
    """A true difference of 2.8016 standard errors is found in 80 of 100 experiments; one of 1.96 in half of them."""
    assert claims.power(0.05 / (1.959964 + 0.841621)) == pytest.approx(0.80, abs=1e-5)
    assert claims.power(0.05 / 1.959964) == pytest.approx(0.5, abs=1e-4)
    assert claims.power(1e6) == pytest.approx(0.05, abs=1e-4) and claims.power(0) == 1


def test_power_in_simulated_experiments():
    """26 people of 9 clips, three seeds, rows that are right with .55 and .60: how often the interval leaves out 0."""
    rng, people, N = np.random.default_rng(0), np.repeat(np.arange(26), 9), 200
    found, expected = 0, []
    for _ in range(N):
        skill = rng.normal(0, 0.05, 26)[people]
        rows = [[(people, np.ones(234, int), rng.random(234) < mean + skill) for _ in range(3)] for mean in (0.6, 0.55)]
        draws = np.subtract(*(bootstrap(runs, 2, "accuracy", n=300) for runs in rows))
        found += interval(draws)[0] > 0
        expected.append(claims.power(draws.std(ddof=1)))
    assert found / N == pytest.approx(np.mean(expected), abs=0.08)


def test_faces_are_one_whole_corpus_and_links(tmp_path, monkeypatch):
    calls = []

    def write(root, corpora, *, scale, tight, progress):
        calls.append((root.name, list(corpora), scale, tight))
        for corpus in corpora:
            (root / corpus).mkdir(parents=True)

    monkeypatch.setattr("shared.faces.write", write)
    whole, small = tmp_path / "claims" / "whole", tmp_path / "small"
    whole.parent.mkdir()
    for _ in range(2):
        claims.draw(whole, small, ["CASME2", "DFEW", "CK+"])
    assert calls == [("small", ["CK+", "DFEW"], "smoke", True), ("whole", ["CASME2"], "full", True)]
    assert (whole / "DFEW").resolve() == small / "DFEW" and not (whole / "CASME2").is_symlink()


@pytest.mark.parametrize("name", cli.papers())
def test_every_paper_has_a_claim_that_can_be_run(name):
    """Two rows that differ, on halves of the people; fewer people have the same pre-training."""
    paper, claim = cli.load(name), cli.load(name).claim
    task = TASKS[claim.task]
    assert task.protocol == HALVES and claim.metric in task.metrics
    for scale in ("smoke", "paper"):
        base = paper.base(scale, {})
        few, more = ([replace(base, **row.changes, people=n) for row in (claim.row, claim.over)] for n in (3, 6))
        assert few[0] != few[1]
        for small, large in zip(few, more, strict=True):
            assert paper.pretraining(small, task) == paper.pretraining(large, task)
    assert any(row.changes == claim.row.changes for table in paper.tables for row in table.rows)
