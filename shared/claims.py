"""The command `claims`: does the central claim of each paper hold, for training sets of several sizes?"""

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from .errors import UserError
from .faces import draw_missing
from .files import locked
from .metrics import bootstrap, constant_baseline, exchanged, holm, interval, least_p, score
from .report.cells import parts, pooled
from .report.results import circumstances, remarks_on
from .report.tables import banner, section
from .reproduce import complete, open_session, write_files
from .runs.experiment import Experiment
from .runs.paper import AnyPaper, Claim
from .runs.recorded import recorded
from .runs.stopping import watch_signals

MARGIN, LEVEL, SEEDS = 0.05, 0.05, 5
TESTED = "CASME2"  # the corpus of the tasks in two halves
MOST = 12  # people of a half of the 26 that are drawn, which are divided by their numbers of clips
LEGEND = (
    "people: in training; both rows are tested on the other half of all people, at the last epoch; means over seeds",
    "constant: the answer that is the same for everybody",
    "difference: with − without, with a 95 % interval by a bootstrap over people and seeds, the same draws for both",
    "p: by exchanges of the two rows' predictions, person by person and network by network, after Holm's correction "
    "over all lines",
    f"verdict: shown, the interval is above 0 and p < {LEVEL}; refuted, the interval is below +{MARGIN}, so that there "
    "is no gain of that size; else undecided, as where neither row is above the constant",
    f"power: the chance that an interval of this width leaves out 0 where the true difference is {MARGIN}, before Holm",
)


def claims(papers: Sequence[AnyPaper], args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """The exit code of `claims`; `arguments` are those that processes launched here are given."""
    clock, seeds = time.monotonic(), args.seeds or SEEDS
    small, args.out = args.out / "faces", args.out / "claims"
    sessions = {p.claim: open_session(p, args) for p in papers if p.claim}
    pairs = {
        (claim, n): [session.experiments(row, claim.column(n), seeds) for row in (claim.over, claim.row)]
        for claim, session in sessions.items()
        for n in args.people
    }
    wanted = dict.fromkeys(e for both in pairs.values() for row in both for e in row)
    first = next(iter(sessions.values()))
    if first.generated and max(args.people) > MOST:
        raise UserError(
            f"--people {max(args.people)}: halves of the 26 people drawn have {MOST} or more; give at most {MOST}"
        )
    watch_signals()
    if first.data == args.out / "faces" and not args.diff:
        draw(first.data, small, dict.fromkeys(corpus for e in wanted for corpus in e.corpora))
    code = complete(first, wanted, args, "claims", ["-m", "shared", *arguments])
    if code is not None:
        return code
    lines = [measured(*place, *both) for place, both in pairs.items()]
    table, warning = tested(lines), banner(first)
    corpora = dict.fromkeys(item for e in wanted for item in e.editions.items())
    rows = [row for both in pairs.values() for row in both if not row[0].missing()]
    done = [[recorded(e) for e in row if e.records()] for row in rows]
    remarks = dict.fromkeys(f"{row[0].session.paper.title}: {line}" for row in done if row for line in remarks_on(row))
    settings = circumstances(first, sorted(set(table["seeds"])), corpora)
    said = [*settings, *too_few(lines), *remarks, *LEGEND]
    print(as_text(table), "", *(f"  {line}" for line in (warning, *said) if line), sep="\n")
    name = f"claims-{first.folder.name.removesuffix('-last')}"  # the rule of all papers here, of some their own
    csv = table.assign(remark=warning).to_csv(index=False, float_format="%.6g")
    write_files(args.out, {f"{name}.csv": csv, f"{name}.md": as_markdown(table, warning, said)})
    print(f"\n{args.out / name}.csv and .md\nclaims: {time.monotonic() - clock:.0f} s in all")
    return 0


def draw(root: Path, small: Path, corpora: Iterable[str]) -> None:
    """Draw the corpus that is tested with all its people; link to the others, small, as other runs have them."""
    others = [corpus for corpus in corpora if corpus != TESTED]
    draw_missing(small, others)
    draw_missing(root, [TESTED], scale="full")
    with locked(root.with_name(".links.lock")):
        for corpus in others:
            if not (link := root / corpus).exists():
                link.unlink(missing_ok=True)  # one that leads nowhere
                link.symlink_to(os.path.relpath(small / corpus, root))


def measured(claim: Claim, people: int, over: Sequence[Experiment], row: Sequence[Experiment]) -> dict[str, object]:
    """A line of the table from the records there are, without what depends on the other lines."""
    line = {"paper": row[0].paper.title, "claim": claim.text, "metric": claim.metric, "people": people, "seeds": 0}
    if missing := row[0].missing() or over[0].missing():
        return line | {"verdict": f"not run: {'; '.join(missing)}"}
    done = [all(len(e.records()) == len(e.folds) for e in both) for both in zip(over, row, strict=True)]
    seeds = done.index(False) if False in done else len(done)
    if not seeds:
        found, folds = len(over[0].records()) + len(row[0].records()), len(over[0].folds) + len(row[0].folds)
        return line | {"verdict": f"not run: {found} of {folds} folds of a seed"}
    column, metric = claim.column(people), claim.metric
    theirs = [pooled(e.records(), "last", claim.over.output, column) for e in over[:seeds]]
    ours = [pooled(e.records(), "last", claim.row.output, column) for e in row[:seeds]]
    classes, networks = theirs[0].classes, [run.folds for run in theirs]
    constant = np.mean([constant_baseline(run.targets, classes, metric) for run in theirs])
    without, with_ = (
        np.mean([score(run.targets, run.predictions, classes, metric) for run in runs]) for runs in (theirs, ours)
    )
    units = min(len(set(theirs[0].subjects)), sum(len(set(names)) for names in networks))
    our_runs, their_runs = parts(ours, "pooled"), parts(theirs, "pooled")
    our_draws, their_draws = (bootstrap(runs, classes, metric, over_runs=True) for runs in (our_runs, their_runs))
    low, high = interval(our_draws - their_draws)
    error = float((our_draws - their_draws).std(ddof=1))
    p = exchanged(our_runs, their_runs, classes, metric, networks)
    line |= {"constant": constant, "without": without, "with": with_, "difference": with_ - without}
    line |= {"low": low, "high": high, "standard error": error, "p": p, "power": power(error)}
    return line | {"seeds": seeds, "units": units, "verdict": ""}


def too_few(lines: Sequence[dict[str, Any]]) -> list[str]:
    """The lines in which so few people or networks are tested that nothing can be shown."""
    found, run = [], [line for line in lines if "units" in line]
    for line in run:
        as_few = sum(other["units"] <= line["units"] for other in run)  # whose p cannot be smaller
        if (p := least_p(line["units"], as_few)) >= LEVEL:
            why = f"with {line['units']} networks or people in the test p is {p:.2g} or more"
            found.append(f"{line['paper']}, {line['people']} people: nothing can be shown: {why}")
    return found


def tested(lines: Sequence[dict[str, object]]) -> pd.DataFrame:
    """The table of lines, with p after Holm's correction and the verdicts."""
    names = ("constant", "without", "with", "difference", "low", "high", "standard error", "p", "power")
    table = pd.DataFrame(lines, columns=["paper", "claim", "metric", "people", "seeds", *names, "verdict"])
    table = table.astype(dict.fromkeys(names, float))
    run = table["p"].notna()
    table.loc[run, "p"] = holm(table.loc[run, "p"].tolist())
    table.loc[run, "verdict"] = [verdict(*row) for row in table.loc[run, ["low", "high", "p"]].to_numpy(float)]
    table.loc[run & (table[["without", "with"]].max(axis=1) <= table["constant"]), "verdict"] = "undecided"
    return table


def verdict(low: float, high: float, p: float) -> str:
    """Whether a difference is above 0, or below the margin."""
    if p < LEVEL and low > 0:
        return "shown"
    return "refuted" if high < MARGIN else "undecided"


def power(error: float) -> float:
    """The chance that a 95 % interval of this standard error leaves out 0 where the true difference is the margin."""
    if error == 0:
        return 1.0
    z = NormalDist()
    return z.cdf(MARGIN / error - z.inv_cdf(0.975)) + z.cdf(-MARGIN / error - z.inv_cdf(0.975))


def as_text(table: pd.DataFrame) -> str:
    """The table for a terminal."""
    formats = dict.fromkeys(("constant", "without", "with", "p"), "{:.3f}")
    formats |= {"difference": "{:+.3f}", "power": "{:.2f}", "low": "[{:.3f},", "high": "{:.3f}]"}
    shown = table.drop(columns="standard error")
    return shown.to_string(index=False, na_rep="", formatters={name: text.format for name, text in formats.items()})


def as_markdown(table: pd.DataFrame, said: str, lines: Sequence[str]) -> str:
    """The table in Markdown, under what is `said` of its data and above the remarks."""
    shown = table.map(lambda value: f"{value:.3f}" if isinstance(value, float) else str(value)).replace("nan", "")
    rows = shown.to_numpy().tolist()
    return "\n".join(section("Claims", said, list(table.columns), rows, lines))
