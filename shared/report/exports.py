"""What lies behind a table, as CSV: the prediction for each sample, and confusion matrices."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..runs.paper import Column
from ..runs.recorded import Recorded
from .cells import confusion_of

Runs = Mapping[Recorded, str]  # finished experiments, each with the first row that shows it


def predictions_csv(runs: Runs) -> dict[str, str]:
    """Task -> a line a sample, output and experiment: fold, subject, truth, prediction and scores at the kept epoch."""
    lines: dict[str, list[dict[str, object]]] = {}
    for experiment, row in runs.items():
        task, rule = experiment.task, experiment.session.rule
        for record in experiment.found:
            predictions = record["predictions"]
            epochs = predictions["epochs"][rule][record["metrics"][0]]
            for output, epoch in epochs.items():
                samples = zip(record["samples"], record["corpora"], record["subjects"], record["targets"], strict=True)
                scores = predictions["scores"][epoch][output]
                for (sample, corpus, subject, target), values in zip(samples, scores, strict=True):
                    answer = [int(v > 0.5) for v in values] if task.aus else int(np.argmax(values))
                    line = {"row": row, "seed": experiment.seed, "fold": record["fold"], "corpus": corpus}
                    line |= {"subject": subject, "sample": sample, "output": output, "rule": rule, "epoch": epoch}
                    line |= _named("truth", target, task.outputs) | _named("prediction", answer, task.outputs)
                    line |= {f"score {name}": value for name, value in zip(task.outputs, values, strict=True)}
                    lines.setdefault(task.name, []).append(line)
    return {task: pd.DataFrame(each).to_csv(index=False, lineterminator="\n") for task, each in lines.items()}


def _named(what: str, answer: int | list[int], outputs: list[str]) -> dict[str, object]:
    """A class by its name; units as 1, 0 and -1 (not scored), a column each."""
    if isinstance(answer, int):
        return {what: outputs[answer]}
    return {f"{what} {name}": value for name, value in zip(outputs, answer, strict=True)}


def confusions_csv(runs: Runs) -> str:
    """Confusion matrices at the kept epoch, pooled over folds: a line a pair of truth and prediction."""
    lines = []
    for experiment, row in runs.items():
        task, rule = experiment.task, experiment.session.rule
        counts = confusion_of(experiment.found, rule, Column("", task.name, task.metric))
        units = task.outputs if task.aus else [""]
        names = ("absent", "present") if task.aus else task.classes
        for (unit, i, j), count in np.ndenumerate(counts.reshape(len(units), len(names), len(names))):
            lines.append((task.name, row, experiment.seed, rule, units[unit], names[i], names[j], int(count)))
    columns = ["task", "row", "seed", "rule", "unit", "truth", "prediction", "count"]
    return pd.DataFrame(lines, columns=columns).to_csv(index=False, lineterminator="\n")
