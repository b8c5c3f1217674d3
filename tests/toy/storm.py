"""python -m toy.storm PACKAGE|COMMAND SEED KILLS OUT ARGUMENT…: runs of a package, or of a command of all papers as
which it knows the toy alone, killed KILLS times at random moments.

Goes on until a third of the kills found records there. OUT/quiet is left by one process that nothing disturbs, OUT/0,
OUT/1, … each by as many starts in two processes as it took; prints what came of it as JSON. Checkpoints are frequent,
the page is not drawn, and the yardstick's flow is a difference.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from shared import cli
from shared.cli import main
from shared.report import page, side_by_side
from shared.runs import yardstick

from .forked import Forked


def started(out: Path, processes: int, arguments: list[str]) -> Forked:
    return Forked(["python", "-c", "", *arguments, "--out", str(out), "--processes", str(processes)], {}, os.setsid)


def kill(run: Forked, draw: random.Random) -> None:
    """All processes of a run at once, or the one that started the others alone, or one of the others alone."""
    how = draw.choice(["all", "first", "other"])
    if how == "all":
        return os.killpg(run.pid, signal.SIGKILL)
    with open(f"/proc/{run.pid}/task/{run.pid}/children") as file:
        others = list(map(int, file.read().split()))
    os.kill(draw.choice(others) if how == "other" and others else run.pid, signal.SIGKILL)


def living(group: int) -> list[int]:
    """The processes of a group that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def orphans(run: Forked) -> tuple[int, float]:
    """How many processes of a run that has ended live on for over a second, and the seconds until none did."""
    clock = time.monotonic()
    while left := living(run.pid):
        time.sleep(0.02)
        if time.monotonic() - clock > 1:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            break
    return len(left), round(time.monotonic() - clock, 2)


def storm(seed: int, kills: int, out: Path, arguments: list[str]) -> dict:
    draw, codes, met, late, last, left = random.Random(seed), [], 0, 0, 0, []
    clock = time.monotonic()
    codes.append(started(out / "quiet", 1, arguments).wait())
    assert codes == [0], "the undisturbed run failed"
    whole = time.monotonic() - clock
    while met < kills or 3 * late < kills:
        run = started(out / str(last), 2, arguments)
        time.sleep(draw.uniform(0.02, 0.6) * whole)
        there = list(out.glob(f"{last}/**/seed-*/*.json"))
        if run.poll() is None:
            kill(run, draw)
            met, late = met + 1, late + bool(there)
        if run.wait() == 0:
            codes.append(0)
            last += 1
        left.append(orphans(run))
    codes.append(started(out / str(last), 2, arguments).wait())
    return {
        "codes": codes,
        "kills": met,
        "with records": late,
        "orphans": sum(count for count, _ in left),
        "longest life of an orphan": max(seconds for _, seconds in left),
        "seconds": round(time.monotonic() - clock - whole, 1),
    }


if __name__ == "__main__":
    package, seed, kills, out, *arguments = sys.argv[1:]
    for_all = package in ("compare", "claims")
    paper = import_module(f"{'toy' if for_all else package}.experiments").PAPER

    def hasty(training):
        training.checkpoint_seconds = 0.1
        return paper.pretrain(training)

    made = replace(paper, pretrain=hasty)
    if for_all:  # there is no --set: the toy takes its time at smoke scale
        made, arguments = replace(made, smoke={"pause": 0.1}), [package, *arguments, "--scale", "smoke"]
        cli.papers, cli.load = lambda: {"toy": "Toy"}, lambda _: made

    def run(command: Sequence[str]) -> None:
        os.dup2(2, 1)
        main(None if for_all else made, list(command[2:]))

    Forked.run = staticmethod(run)
    page.page, side_by_side.as_page = lambda *_: "no page", lambda *_, **__: "no page"
    yardstick.tvl1 = lambda a, b: (b - a.float())[:, None].repeat(1, 2, 1, 1)
    print(json.dumps(storm(int(seed), int(kills), Path(out), arguments)))
