"""`python -m toy.gpu METHOD DATA OUT`: train a method's first fold on a GPU, with its pre-training.

Prints, as JSON, how many steps there were, and the lines of code that made one wait for the GPU: copies that wait, and
values that Python reads. The first step and what lies between epochs are not looked at.
"""

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import torch
from tiny import ROWS, STAGES, options, paper_of, session_of

from shared.runs.engine import _pretrain, given, prepare_process
from shared.runs.fold import FoldTraining
from shared.runs.parallel import Alone
from shared.runs.pretraining import Pretraining

METHODS = {  # package, row, settings beside those of `tiny`
    "dvasp": ("dvasp", "table1/Lv+Lmv+Lasp", "batch=4 teacher_batch=2"),
    "skd_tstsan": ("skd_tstsan", ROWS["skd_tstsan"][0], "batch=4 pretrain_iterations=9 pretrain_batch=2"),
    "STSTNet": ("skd_tstsan", ROWS["skd_tstsan"][0], "method=STSTNet ststnet_epochs=2 batch=4"),
    "CapsuleNet": ("skd_tstsan", ROWS["skd_tstsan"][0], "method=CapsuleNet batch=4"),
    "MMNet": ("skd_tstsan", ROWS["skd_tstsan"][0], "method=MMNet batch=4"),
    "mtmnet": ("mtmnet", "table2/L_EID, L_MTM@CASME2(CK+)", "batch=4 pretrain_epochs=1 epochs=1 frames=1"),
    "sca_au": ("sca_au", ROWS["sca_au"][0], "batch=4"),
    "ma2mi": ("ma2mi", "table1/MA2MI@CASME", "batch=4"),
}


def main(method: str, data: str, out: str) -> None:
    package, name, changes = METHODS[method]
    paper, device = paper_of(package), torch.device("cuda", 0)
    own = STAGES.get(package, "") if method == package else ""
    session = session_of(paper, options(package, Path(data), Path(out), *own.split(), *changes.split()))
    ((table, (row,)),) = paper.choose([name])
    experiment = session.experiments(row, table.columns[0], 1)[0]
    steps = Counter[str]()
    for kind, ends, reads in ((FoldTraining, "note", "means"), (Pretraining, "log", "_end_of_epoch")):
        watch(kind, ends, reads, steps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if stage := experiment.pretraining:
            _pretrain(stage, Alone(device), 0)
        prepare_process(0, experiment.config)
        weights = stage.load() if stage else None
        training = FoldTraining(**given(experiment, experiment.folds[0], device), pretrained=weights)
        paper.train(training)
    waits = Counter(
        f"{Path(w.filename).parent.name}/{Path(w.filename).name}:{w.lineno}"
        for w in caught
        if "called a synchronizing" in str(w.message)
    )
    print(json.dumps({"steps": steps, "waits": waits, "kept": training.scored_epoch}))


def watch(kind: type, ends: str, reads: str, steps: Counter[str]) -> None:
    """Look from the end of a step, `ends`, to that of the epoch's last one, where `reads` is called."""
    end, read = getattr(kind, ends), getattr(kind, reads)

    def ended(self, *arguments, **named):
        end(self, *arguments, **named)
        steps[kind.__name__] += 1
        torch.cuda.set_sync_debug_mode("warn")

    def reading(self, *arguments, **named):
        torch.cuda.set_sync_debug_mode("default")
        return read(self, *arguments, **named)

    setattr(kind, ends, ended)
    setattr(kind, reads, reading)


if __name__ == "__main__":
    main(*sys.argv[1:])
