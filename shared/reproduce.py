"""A paper's rows from the command line: check everything, run what is missing, print the tables from the records."""

import argparse
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from .corpora import CORPORA
from .corpora.folders import is_synthetic
from .errors import UserError, log, unknown
from .files import REMEDY, check_writable, digest, locked, read_json, sweep, write_text
from .keys import VERIFY
from .report import tables
from .report.layout import as_text, manuscript
from .report.results import Result, all_results, finished
from .report.survey import data_dir
from .runs.cost import estimate
from .runs.engine import run
from .runs.experiment import Experiment
from .runs.paper import Column, Paper, Row, Table
from .runs.parallel import PARENT, follow_parent, launch, launched, make_accelerator, process_count, wait_for_others
from .runs.places import MOST, PLACES, Places, own_places
from .runs.recorded import Archive
from .runs.session import Session
from .runs.stopping import watch_signals

CHECKED = "MER_CHECKED"  # digest of the data that the process that launched this one has checked


def reproduce(paper: Paper, args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """The exit code of `PAPER` and `diff PAPER`; `arguments` are those that processes launched here are given."""
    if args.diff and args.data is None:
        return from_records(paper, args)
    clock = time.monotonic()
    session = open_session(paper, args)
    chosen = paper.choose(args.rows or (recorded_columns(session) if args.diff else []))
    cells = [(table, row, column) for table, rows in chosen for row, column in table.cells() if row in rows]
    own, seeds = [(row, column) for _, row, column in cells if not row.records], args.seeds or 1
    refuse_overridden(session, cells)
    wanted = dict.fromkeys(e for row, column in own for e in session.experiments(row, column, seeds))
    wanted |= dict.fromkeys(e for _, column in own for e in session.yardstick(column.task, seeds))
    code = complete(session, wanted, args, paper.name, ["-m", paper.name, *arguments])
    if code is not None:
        return code
    archive = Archive(session, data=True)
    missing = {(r, c.name): session.experiments(r, c, 1)[0].missing() for _, r, c in cells if not r.records}
    asked = [table for table, _ in chosen]
    results = all_results(archive, asked, lambda row, column: missing.get((row, column.name), ()))
    printed = [result for result in results if result.table.name in {table.name for table in asked}]
    print(as_asked(archive, printed, args))
    page = write_reports(archive, results)
    where = f"\nThe page with the figures: {page}\n{paper.name}: {time.monotonic() - clock:.0f} s in all"
    log(where) if args.format else print(where)
    return held_against(session, printed) if args.strict else 0


def recorded_columns(session: Session) -> list[str]:
    """The columns of which there are records, as `Paper.choose` takes them."""
    results = all_results(Archive(session, data=False))
    return [f"{result.table.name}@{column.name}" for result in results for column in result.table.columns]


def from_records(paper: Paper, args: argparse.Namespace) -> int:
    """The exit code of `diff PAPER` without --data: print the tables from what lies in the output folder alone."""
    chosen = [table for table, _ in paper.choose(args.rows)] if args.rows else []
    names = {table.name for table in chosen or paper.tables}
    sessions = recorded_sessions(paper, args)
    if not sessions:
        some = f"`bash reproduce.sh {paper.name}` makes some"
        raise UserError(f"no records of {paper.name} that this version reads in {args.out}; {some}")
    code = 0
    for session in sessions:
        archive = Archive(session, data=False)
        printed = [result for result in all_results(archive, chosen) if result.table.name in names]
        if printed:
            print(as_asked(archive, printed, args))
        else:
            log(f"{session.folder}: no records of {paper.name}'s tables; `compare` and `claims` show their own")
            for line in archive.left_out:
                log(line)
        code = max(code, held_against(session, printed) if args.strict else 0)
    return code


def as_asked(archive: Archive, results: list[Result], args: argparse.Namespace) -> str:
    """The tables for the terminal or, with --format, for a manuscript."""
    if args.format:
        return manuscript(archive, results, args.format, args.intervals)
    return as_text(archive, results)


def held_against(session: Session, results: list[Result]) -> int:
    """Print what --strict says, and return its exit code."""
    text, code = tables.strict(session, results)
    print(text)
    return code


def complete(
    session: Session, wanted: Collection[Experiment], args: argparse.Namespace, name: str, command: Sequence[str]
) -> int | None:
    """Check everything, then run what is missing of the experiments; the exit code where this process is to end.

    Processes launched here run Python with `command`."""
    if not args.diff:
        check_writable(session.folder)
    processes = process_count(args.gpus, args.processes)
    watch_signals()
    if session.data == args.out / "faces":
        draw_faces(session, wanted, args.diff, name)
    experiments = [e for e in wanted if not e.missing()]
    if PARENT in os.environ:
        follow_parent()
    else:
        check(session, wanted, experiments, args.skip_broken)
    checked = digest([e.settings for e in experiments])
    if os.environ.get(CHECKED, checked) != checked:
        raise UserError(f"{session.data} has changed since this run began; {REMEDY}")
    todo = [] if args.diff else [e for e in experiments if len(e.records()) < len(e.folds)]
    # under torchrun one of several speaks for all; those launched here leave it to this one
    silent = launched() and (PARENT in os.environ or os.environ["RANK"] != "0")
    if args.dry_run:
        if not silent:
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            print("\n".join(estimate(todo, device, args.workers, name)))
        return 0
    for made in [*todo, *(e.pretraining for e in todo if e.pretraining)]:
        made.claim_settings()
    if launched():
        run_own_share(todo, args)
        return 0 if silent else None
    code = run_in_processes(todo, args, name, processes, command, checked) if todo else 0
    return code or None


def draw_faces(session: Session, wanted: Collection[Experiment], diff: bool, name: str) -> None:
    """Draw the synthetic faces that the experiments are missing; those of records alone have to be there."""
    from .faces import draw_missing

    if diff and not session.data.exists():
        raise UserError(
            f"{session.data}, whose faces the records are of, is not there: without --diff, {name} draws it"
        )
    draw_missing(session.data, () if diff else (corpus for e in wanted for corpus in e.corpora))


def run_in_processes(
    todo: list[Experiment], args: argparse.Namespace, name: str, processes: int, command: Sequence[str], checked: str
) -> int:
    """Run experiments in processes launched here, or in this one if one is enough; 0, or the exit code of one."""
    folds, on_gpus = sum(len(e.folds) for e in todo), torch.cuda.is_available()
    together = processes  # those that share a pre-training, however few folds there are
    processes = min(processes, folds)
    most = min(processes * (args.folds_per_gpu or MOST), folds) if on_gpus else processes
    log(f"{name}: {len(todo)} experiments to run in {most} {'process' if most == 1 else 'processes'}")
    stages = any(e.pretraining and not e.pretraining.done() for e in todo)
    if stages and together > 1 and (on_gpus or args.data_parallel):
        code = launch(command, together, environment={CHECKED: checked, PLACES: ""})
        if code:
            return code
    if most == 1:
        run_own_share(todo, args)
        return 0
    with TemporaryDirectory() as folder:
        number = args.folds_per_gpu if on_gpus else most
        places = [Places(Path(folder), device).open(number) for device in range(processes if on_gpus else 1)]
        return launch(command, most, places, environment={CHECKED: checked, PLACES: folder})


def run_own_share(todo: list[Experiment], args: argparse.Namespace) -> None:
    """Run what is missing of the experiments in this process: all, or as one of several what it is there for."""
    if os.environ.get(PLACES):
        place, device = own_places()
        run(todo, device=device, workers=args.workers, places=place)
        return
    accelerator = make_accelerator()
    stages_only = PLACES in os.environ
    several_gpus = accelerator.num_processes > 1 and accelerator.device.type == "cuda"
    run(
        todo,
        device=accelerator.device,
        accelerator=accelerator if args.data_parallel or stages_only or several_gpus else None,
        workers=args.workers,
        folds=not stages_only,
    )
    wait_for_others(accelerator)
    if launched():
        accelerator.end_training()


def recorded_sessions(paper: Paper, args: argparse.Namespace) -> list[Session]:
    """The sessions that have left records in the output folder, as far as the arguments ask for them."""
    found = []
    for folder in sorted((args.out / paper.name).glob("*")):
        session = recorded_session(paper, args, folder)
        if (
            session
            and args.scale in (None, session.scale)
            and args.rule in ("", session.rule)
            and (session.shuffled or not args.shuffle_labels)
        ):
            found.append(session)
    return found


def recorded_session(paper: Paper, args: argparse.Namespace, folder: Path) -> Session | None:
    """The session whose folder this is, as its newest record describes it; None without a record of this version."""
    for path in sorted(folder.glob("*/*/seed-*/*.json"), key=os.path.getmtime)[::-1]:
        try:
            record = read_json(path)
            scale, generated, shuffled, rule = (record[k] for k in ("scale", "generated", "shuffled", "rule"))
            overrides = dict(args.set) or record["set"]
        except (UserError, LookupError):  # damaged, or of a pre-training
            continue
        session = Session(paper, args.out, args.out / "faces", scale, generated, overrides, args.weights, shuffled)
        session.chosen_rule, session.accept_code = rule, args.accept_code
        if session.folder == folder:
            return session
    return None


def open_session(paper: Paper, args: argparse.Namespace) -> Session:
    """The session that the arguments ask for, on synthetic faces in the output folder if they name no data."""
    if args.verify:
        os.environ[VERIFY] = "1"
    data = data_dir(args.data)
    generated = data is None or is_synthetic(data)
    editions = dict(args.edition)
    for corpus, edition in editions.items():
        if corpus not in CORPORA:
            raise unknown("corpus", corpus, CORPORA)
        known = getattr(CORPORA[corpus], "EDITIONS", ())
        if edition not in known:
            raise unknown(f"edition of {corpus}", edition, known or ("only one",))
    session = Session(
        paper,
        out=args.out,
        data=data or args.out / "faces",
        scale=args.scale or ("smoke" if generated else "paper"),
        generated=generated,
        overrides=dict(args.set),
        weights_dir=args.weights,
        shuffled=args.shuffle_labels,
        keep_weights=not args.no_weights,
        editions=editions,
        chosen_rule=args.rule,
        accept_code=args.accept_code,
    )
    session.base  # noqa: B018 (reports a wrong --set before anything is read)
    return session


def refuse_overridden(session: Session, cells: Sequence[tuple[Table, Row, Column]]) -> None:
    """Raises UserError for a --set that has no effect, because a chosen row or column sets the same field itself, and
    for one that belies a row's name."""
    for table, row, column in cells:
        for kind, part in (("row", row), ("column", column)):
            for key in session.overrides.keys() & part.changes.keys():
                raise UserError(
                    f"--set {key}={session.overrides[key]}: {kind} “{part.name}” of {table.name} sets "
                    f"{key}={part.changes[key]} itself; leave the setting out, or choose other rows and columns"
                )
    for table, row, _ in cells:
        if not row.records and (why := session.misnamed(row)):
            raise UserError(f"{why} of {table.name}; leave the setting out, or choose other rows")


def check(session: Session, wanted: Collection[Experiment], experiments: list[Experiment], skip_broken: bool) -> None:
    """Report what is missing and what is broken before anything is trained. Raises UserError if nothing can run."""
    reasons = dict.fromkeys(reason for e in wanted for reason in e.missing())
    for reason in reasons:
        log(f"missing: {reason}")
    if wanted and not experiments:
        raise UserError("none of the chosen rows can run on this data:\n  " + "\n  ".join(reasons))
    if reasons:
        log(f"{len(experiments)} of {len(wanted)} experiments can run without the missing corpora")
    check_samples(session, experiments, skip_broken)
    for experiment in experiments:
        for line in experiment.mislaid():
            log(f"{line}; remove its record to train the fold again")


def check_samples(session: Session, experiments: list[Experiment], skip_broken: bool) -> None:
    """Report what is broken of the samples. Raises UserError for it unless it is to be skipped.

    Problems of the sheets are reported at once, not after minutes of decoding."""
    problems = session.problems(experiments, pixels=False)
    sheets_alone = bool(problems) and not skip_broken
    if not sheets_alone:
        problems = session.problems(experiments)
    if not problems:
        return
    remain: dict[str, set[int]] = {}
    for e in experiments:
        samples = e.session.selected(e.task)[0] if sheets_alone else e.samples
        remain.setdefault(e.task.name, set()).add(len(samples))
    counts = {name: " to ".join(map(str, sorted({min(n), max(n)}))) for name, n in remain.items()}
    left = "; ".join(f"{name}: {count} samples remain" for name, count in counts.items())
    lines = "\n  ".join(map(str, problems))
    if not skip_broken:
        unseen = " if their images can be read, which is checked next" if sheets_alone else ""
        raise UserError(
            f"{len(problems)} problems in {session.data}:\n  {lines}\n{left}{unseen}; --skip-broken runs with those"
        )
    log(f"left out, {len(problems)} problems:\n  {lines}\n{left}")


def write_reports(archive: Archive, results: list[Result]) -> Path:
    """Write the tables, what lies behind them, and the page beside the records; returns the page."""
    from .report.page import page

    session, runs = archive.session, finished(archive)
    live = [session.experiment(e.task, e.config, e.seed) for e in runs if e.seed == 0]
    contents = {
        "tables.csv": tables.as_csv(archive, results),
        "tables.md": tables.as_markdown(archive, results),
        "seeds.csv": tables.seeds_csv(results),
        "confusions.csv": tables.confusions_csv(runs),
        **{f"predictions-{task}.csv": content for task, content in tables.predictions_csv(runs).items()},
        "index.html": page(archive, results, runs, [e for e in live if not e.missing()]),
    }
    write_files(session.folder, contents)
    for path in session.folder.glob("predictions-*.csv"):  # of tasks of which there are no records any more
        if path.name not in contents:
            path.unlink(missing_ok=True)
    return session.folder / "index.html"


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write texts by their names into a folder, each in one rename."""
    with locked(folder / ".reports.lock"):
        for name, content in contents.items():
            sweep(folder, name)
            write_text(folder / name, content)
