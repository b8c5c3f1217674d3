"""Records as a run of a paper would leave them, with invented predictions: every table in a second."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from shared.runs.fold import Record
from shared.runs.paper import AnyPaper
from shared.runs.recorded import Archive, Recorded
from shared.runs.session import Session
from shared.tasks import Task

PEOPLE, CLIPS, EPOCHS = 6, 5, 4


def archive(paper: AnyPaper, folder: Path, *, generated: bool = False, seeds: int = 1) -> Archive:
    """The experiments of the paper's tables."""
    session = Session(paper, folder, folder / "data", "smoke" if generated else "paper", generated, {})
    made = Archive(session, data=False)
    for table in paper.tables:
        for row, column in table.cells():
            if not row.records:
                for experiment in session.experiments(row, column, seeds):
                    task, config, seed = experiment.task, experiment.config, experiment.seed
                    found = made._found.setdefault((task, config), {})
                    if seed not in found:
                        records = folds(paper, task, asdict(config), seed, len(made._found))
                        found[seed] = Recorded(session, task, config, seed, len(records), records, [])
    return made


def folds(paper: AnyPaper, task: Task, config: dict, seed: int, skill: int) -> list[Record]:
    """A record a person; the labels of a task are the same for all."""
    labels, rng = np.random.default_rng(len(task.name)), np.random.default_rng([seed, skill])
    width, metrics, found = len(task.outputs), list(paper.metrics(task.name)), []
    for person in range(PEOPLE):
        corpus = task.corpora[person % len(task.corpora)]
        target = labels.integers(0, 2, (CLIPS, width)) if task.aus else labels.integers(0, width, CLIPS)
        hot = target if task.aus else np.eye(width)[target]
        scores = {str(e): {} for e in range(1, EPOCHS + 1)}
        for epoch in scores.values():
            for output in ("", *{row.output for table in paper.tables for row in table.rows if row.output}):
                noise = rng.random(hot.shape)
                epoch[output] = np.clip(0.5 * hot + 0.7 * noise, 0, 1).round(4).tolist()
        epochs = {
            rule: {m: dict.fromkeys(scores["1"], e) for m in metrics} for rule, e in (("last", "4"), ("val", "2"))
        }
        epochs["best_on_test"] = epochs["val"]
        history = [{"epoch": e, "loss": 2 / e, "test": 1 - 1 / (e + 1)} for e in range(1, EPOCHS + 1)]
        found.append(
            {
                "fold": f"{corpus}/sub{person:02d}",
                "samples": [f"{corpus}/sub{person:02d}/{clip}" for clip in range(CLIPS)],
                "subjects": [f"{corpus}/sub{person:02d}"] * CLIPS,
                "corpora": [corpus] * CLIPS,
                "targets": target.tolist(),
                "predictions": {"epochs": epochs, "scores": scores},
                "history": history,
                "metrics": metrics,
                "config": config,
                "code": "abc",
                "pretraining": None,
                "figures": {},
                "data": {
                    "samples": PEOPLE * CLIPS,
                    "subjects": PEOPLE,
                    "editions": dict.fromkeys(task.corpora, "2014"),
                },
            }
        )
    return found
