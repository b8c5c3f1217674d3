"""How hard the synthetic faces are: UF1 of the yardstick on CASME II's five classes, leaving one person out.

The peak intensities of micro-expressions, the sway of the head that registration leaves, and the noise of the camera
are multiplied by a factor, one of them at a time. The ratio is that of the UF1 to that of the faces as they are.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from shared.corpora import casme2
from shared.metrics import score
from shared.runs import yardstick
from shared.synthetic import labels
from shared.synthetic import write as drawing
from shared.tasks import TASKS

FACTORS = {"intensity": (0.5, 0.75, 1.5), "sway": (0, 2), "noise": (0, 2)}


def uf1(folder: Path, intensity: float = 1, sway: float = 1, noise: float = 1, **how: Any) -> float:
    """The yardstick's UF1 on faces drawn with these factors, and as `write` has it."""
    with (
        patch.object(labels, "MICRO_PEAKS", tuple(intensity * peak for peak in labels.MICRO_PEAKS)),
        patch.object(drawing, "REGISTERED", sway * drawing.REGISTERED),
        patch.object(drawing, "NOISE", noise * drawing.NOISE),
    ):
        data = drawing.write(folder / "faces", ["CASME2"], tight=True, workers=1, **how)
    task, config = TASKS["casme2-5"], yardstick.Config()
    samples = task.select(casme2.read(data).samples)
    flow = yardstick.load(samples, config, folder / "cache")
    target = np.array(samples["target"].tolist())
    said = np.full(len(target), -1)
    for fold in task.folds(samples):
        train, test = (samples["sample"].isin(part).to_numpy() for part in (fold.train, fold.test))
        said[test] = yardstick.answers(flow.x[train], target[train], flow.x, config)[test]
    return score(target, said, len(task.classes), "uf1")


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, default=3, help="draws of people and clips")
    p.add_argument("--size", type=int, default=128)
    p.add_argument("--small", action="store_true", help="one draw of small faces, one factor: to see that it runs")
    args = p.parse_args(arguments)
    factors = {"intensity": (1.5,)} if args.small else FACTORS
    how = dict(size=32, scale=0.05) if args.small else dict(size=args.size)
    seeds = 1 if args.small else args.seeds
    cases = [{}, *({what: factor} for what, several in factors.items() for factor in several)]
    first = 0.0
    for case in cases:
        found = []
        for seed in range(seeds):
            size = (34, 28) if args.small else yardstick.SIZE
            with tempfile.TemporaryDirectory() as folder, patch.object(yardstick, "SIZE", size):
                found.append(uf1(Path(folder), **case, **how, seed=seed))
        mean = float(np.mean(found))
        first = first or mean
        name = " ".join(f"{what} × {factor}" for what, factor in case.items()) or "as they are"
        each = ", ".join(f"{value:.3f}" for value in found)
        print(f"{name}: UF1 {mean:.3f} ({each}), ratio {mean / first:.2f}", flush=True)


if __name__ == "__main__":
    main()
