"""Folds a minute of MIACNet on 26 people of unequal counts of clips, in one process and in several, by turns; on a GPU,
one at a time and several.

From the first fold's start to the last one's end, by the records; and by the clock of the whole command. "busy" is the
share of the processes' time in between that went into folds.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import torch

from shared.synthetic.write import write

TESTS = Path(__file__).parents[1]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def run(folder: Path, processes: int, small: bool, epochs: int) -> dict[str, float]:
    """Folds a minute of a run from nothing but the decoded images."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    what = ["toy", "table1"] if small else ["ma2mi", "table1/w/o (baseline)@CASME"]
    command = ["-m", *what, "--data", folder / "faces", "--out", out]
    command += ["--folds-per-gpu" if torch.cuda.is_available() else "--processes", str(processes)]
    command += ["--set", f"epochs={epochs}"]
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS, *filter(None, [os.environ.get("PYTHONPATH")]))))
    environment = {**os.environ, **THREADS, "PYTHONPATH": paths}
    clock = time.monotonic()
    if small:
        from toy.forked import python

        assert python(*command[1:]).returncode == 0
    else:
        subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True)
    clock = time.monotonic() - clock
    times = [json.loads(path.read_text())["times"] for path in out.rglob("seed-0/*.json")]
    begun = [datetime.fromisoformat(t["started"]).timestamp() for t in times]
    busy = [t["seconds"] for t in times]
    span = max(map(sum, zip(begun, busy, strict=True))) - min(begun)
    return {"folds": 60 * len(times) / span, "command": 60 * len(times) / clock, "busy": sum(busy) / span / processes}


def main(arguments: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--epochs", type=int, default=4)
    p.add_argument("--small", action="store_true", help="one round of the tests' toy: to see that it runs")
    args = p.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.small:
            from toy.corpus import write_casme2

            args.rounds, args.epochs = 1, 1
            write_casme2(folder / "faces")
        else:
            write(folder / "faces", ["CASME2"], scale="full", size=72, tight=True)
            run(folder, args.processes, False, 1)  # decodes
        found = {1: [], args.processes: []}
        for _ in range(args.rounds):
            for processes, runs in found.items():
                runs.append(run(folder, processes, args.small, args.epochs))
                print("{}: {folds:.2f} folds a minute, {command:.2f} by the whole command, busy {busy:.1%}".format(
                    processes, **runs[-1]), flush=True)  # fmt: skip
        for what in ("folds", "command"):
            one, several = (statistics.median(r[what] for r in runs) for runs in found.values())
            print(f"{what}: ratio {several / one:.3f} in {args.processes} processes to one (medians)")


if __name__ == "__main__":
    main()
