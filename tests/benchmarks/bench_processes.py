"""Folds a minute of MIACNet on 26 people of unequal counts of clips, in one process and in several, by turns.

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

from shared.faces.write import write

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def run(folder: Path, processes: int, epochs: int) -> dict[str, float]:
    """Folds a minute of a run from nothing but the decoded images."""
    out = folder / "out"
    shutil.rmtree(out / "ma2mi", ignore_errors=True)
    command = ["-m", "ma2mi", "table1/w/o (baseline)@CASME", "--data", folder / "faces", "--out", out, "--processes"]
    command += [str(processes), "--set", f"epochs={epochs}"]
    clock = time.monotonic()
    subprocess.run([sys.executable, *command], env={**os.environ, **THREADS}, check=True, capture_output=True)
    clock = time.monotonic() - clock
    times = [json.loads(path.read_text())["times"] for path in out.rglob("seed-0/*.json")]
    begun = [datetime.fromisoformat(t["started"]).timestamp() for t in times]
    busy = [t["seconds"] for t in times]
    span = max(map(sum, zip(begun, busy, strict=True))) - min(begun)
    return {"folds": 60 * len(times) / span, "command": 60 * len(times) / clock, "busy": sum(busy) / span / processes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "faces", ["CASME2"], scale="full", size=72, tight=True)
        run(folder, args.processes, 1)  # decodes
        found = {1: [], args.processes: []}
        for _ in range(args.rounds):
            for processes, runs in found.items():
                runs.append(run(folder, processes, args.epochs))
                print("{}: {folds:.2f} folds a minute, {command:.2f} by the whole command, busy {busy:.1%}".format(
                    processes, **runs[-1]), flush=True)  # fmt: skip
        for what in ("folds", "command"):
            one, several = (statistics.median(r[what] for r in runs) for runs in found.values())
            print(f"{what}: {several / one:.3f} times as many a minute in {args.processes} processes (medians)")
