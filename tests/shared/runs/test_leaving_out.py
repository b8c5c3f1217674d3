"""Leaving one corpus out, from the command line's side: with those corpora that are there, two at least."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny import session_of
from toy.experiments import PAPER

from shared.corpora import casme2 as corpus
from shared.files import read_json
from shared.report.cells import Cell, baselines, measured
from shared.report.results import circumstances
from shared.runs import engine
from shared.runs.experiment import Experiment
from shared.runs.paper import Column, Row
from shared.runs.session import Session
from shared.tasks import TASKS

TASK = TASKS["corpora-3"]


@pytest.fixture
def experiment(casme2, tmp_path, monkeypatch):
    """experiment(*corpora): the toy's on `corpora-3`; these corpora hold the toy's clips, the others are missing."""
    found = corpus.read(casme2)

    def reading(name):
        samples = found.samples.assign(corpus=name)
        for column in ("sample", "subject"):
            samples[column] = samples[column].str.replace("CASME2", name)
        return replace(found, corpus=name, samples=samples)

    def experiment(*corpora):
        there = {name: reading(name) for name in corpora}
        monkeypatch.setattr(Session, "reading", lambda self, name, edition=None: there.get(name, f"{name} not found"))
        session = session_of(PAPER, ["table1", "--data", str(casme2), "--out", str(tmp_path / "out")])
        return Experiment(session, TASK, session.base, 0)

    return experiment


def test_those_that_are_there_take_part(experiment):
    two = experiment("CASME2", "SAMM")
    assert two.missing() == [] and two.editions == {"CASME2": "2014", "SAMM": "2014"}
    assert [(f.name, len(f.train), len(f.test)) for f in two.folds] == [("CASME2", 12, 12), ("SAMM", 12, 12)]
    assert two.settings["data"]["editions"] == two.editions
    assert circumstances(two.session, [0], two.editions.items())[1] == "data: CASME2 (2014), SAMM (2014)"
    assert experiment("SAMM").missing() == [f"{c} not found" for c in ("CASME2", "CASME3", "MMEW", "SMIC")]


def test_a_unit_that_too_few_show_has_no_number(experiment):
    """The toy's clips show AU4 and AU12, twelve a corpus; three of them are left of one."""
    both = experiment("CASME2", "SAMM")
    samples = TASKS["corpora-au8"].select(both.session.selected(TASKS["corpora-au8"])[0])
    kept = samples[(samples["corpus"] == "CASME2") | samples["sample"].str.contains("/sub01/")].reset_index(drop=True)
    scored = TASKS["corpora-au8"].scored(kept)
    assert {t for t, c in zip(scored, kept["corpus"], strict=True) if c == "SAMM"} == {(-1,) * 8}
    records = [
        {
            "fold": name,
            "samples": rows["sample"].tolist(),
            "corpora": [name] * len(rows),
            "subjects": rows["subject"].tolist(),
            "targets": [list(t) for t in rows["scored"]],
            "history": [{"epoch": 1}],
            "predictions": {
                "epochs": {rule: {"f1_binary": {"": "1"}} for rule in ("last", "best_on_test")},
                "scores": {"1": {"": [[0.9] * 8] * len(rows)}},
            },
        }
        for name, rows in kept.assign(scored=scored).groupby("corpus")
    ]
    column = Column("F1", "corpora-au8", "f1_binary", joined="mean of folds")
    cell = Cell("ours", "F1", joined="mean of folds", rule="last", note="2 of 2 folds")
    (mean, _) = measured(cell, Row("ours"), column, {0: records})
    assert mean.measured == 1  # of CASME2 alone, where both units are present in all clips
    none = measured(cell, Row("ours"), replace(column, corpus="SAMM"), {0: records})
    assert [(c.measured, c.note) for c in none] == [(None, "not scored: too few samples show it (2 of 2 folds)")]
    fake = SimpleNamespace(task=TASKS["corpora-au8"], found=records)
    assert baselines(replace(column, corpus="SAMM", joined="pooled"), fake) == []


def test_a_record_has_the_targets_as_they_are_scored(experiment):
    """Of eight units those that the toy's clips show, 4 and 12."""
    session, task = experiment("CASME2", "SAMM").session, TASKS["corpora-au8"]
    session.paper = replace(PAPER, train=lambda training: training.score(0, lambda rows: torch.ones(len(rows), 8)))
    run = Experiment(session, task, session.base, 0)
    engine._train(run, run.folds[0], torch.device("cpu"))
    record = read_json(run.record_path(run.folds[0]))
    assert record["targets"] == [[-1, -1, 1, -1, 1, -1, -1, -1]] * 12


def test_halves_and_their_people_are_drawn_by_the_seed(casme2, tmp_path):
    """Of four people two are tested, and one of the other two is learned from."""
    session = session_of(PAPER, ["--data", str(casme2), "--out", str(tmp_path), "--set", "people=1"])
    learned = {}
    for seed in range(20):
        for fold in session.experiment(TASKS["casme2-5-halves"], session.base, seed).folds:
            learned.setdefault((fold.name, fold.test), set()).add(fold.train)
    assert len(learned) > 4 and max(map(len, learned.values())) == 2
