"""`python -m PAPER …`: check everything first, then run what is missing, then print the tables. Or `predict …`."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from .corpora import CORPORA
from .errors import UserError, log, unknown
from .files import MARKER, REMEDY, digest, locked, replacing, sweep
from .keys import VERIFY
from .report import predict, tables
from .report.results import result
from .runs.engine import run
from .runs.paper import Paper
from .runs.parallel import PARENT, follow_parent, launch, launched, make_accelerator, process_count, wait_for_others
from .runs.session import Experiment, Session

CHECKED = "MER_CHECKED"  # digest of the data that the process that launched this one has looked at


def main(paper: Paper, arguments: Sequence[str] | None = None) -> None:
    """Run `python -m PAPER` to its exit code: 0, 1 as --strict says, or 2 with a message where the user can mend it."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = predict.main(paper, arguments[1:]) if arguments[:1] == ["predict"] else _main(paper, arguments)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        if PARENT not in os.environ:
            print("stopped; the same command goes on from here", file=sys.stderr)
        code = 130
    sys.stdout.flush()
    sys.exit(code)


def parser(name: str) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=name, description="Reruns the tables of the paper; without names, its headline rows."
    )
    p.add_argument(
        "rows",
        nargs="*",
        metavar="TABLE[/ROW][@COLUMN]",
        help="tables or rows, as `list` prints them, and columns by their beginning",
    )
    p.add_argument("--data", type=Path, help="folder that holds the corpora (else $MER_DATA, else generated faces)")
    p.add_argument("--scale", choices=("smoke", "paper"), help="default: smoke on generated faces, paper on real data")
    p.add_argument("--out", type=Path, default=Path("runs"), help="folder of the records (default: runs)")
    p.add_argument(
        "--weights", type=Path, default=Path("weights"), help="folder of published weights (default: weights)"
    )
    p.add_argument(
        "--seeds", type=at_least(1), default=1, metavar="N", help="repeat each experiment under N seeds (default: 1)"
    )
    p.add_argument("--gpus", type=at_least(1), metavar="N", help="use N GPUs of this machine (default: all)")
    p.add_argument(
        "--processes", type=at_least(1), metavar="N", help="processes without a GPU (default: one a core, at most 8)"
    )
    p.add_argument(
        "--workers", type=at_least(0), default=0, metavar="N", help="loader processes of a pre-training (default: 0)"
    )
    p.add_argument(
        "--data-parallel", action="store_true", help="pre-train in all processes together (default with GPUs)"
    )
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of the paper")
    p.add_argument(
        "--edition",
        action="append",
        default=[],
        metavar="CORPUS=EDITION",
        help="of a corpus with several annotation sheets the one to read (default: as the task says)",
    )
    p.add_argument(
        "--rule",
        choices=("last", "val", "best_on_test"),
        default="",
        help="score another epoch than the paper; val: of training subjects where the paper has no validation fold",
    )
    p.add_argument("--shuffle-labels", action="store_true", help="a control: nothing above chance may come out")
    p.add_argument("--skip-broken", action="store_true", help="go on without the samples that cannot be used")
    p.add_argument("--no-weights", action="store_true", help="do not keep a fold's weights beside its record")
    p.add_argument("--verify", action="store_true", help="know files by their content, not by size and time of change")
    p.add_argument("--accept-code", action="store_true", help="use records that other code has made, and say so")
    p.add_argument("--diff", action="store_true", help="print the tables from the records, run nothing")
    p.add_argument(
        "--strict",
        action="store_true",
        help="exit code 1 where a number that the authors measured is outside its interval (never on generated faces)",
    )
    return p


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number that is `least` or more."""

    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def _main(paper: Paper, arguments: list[str]) -> int:
    clock = time.monotonic()
    args = parser(paper.name).parse_args(arguments)
    chosen = paper.choose(args.rows)
    session = open_session(paper, args)
    processes = process_count(args.gpus, args.processes)
    cells = [(table, row, column) for table, rows in chosen for row, column in table.cells() if row in rows]
    own = [(row, column) for _, row, column in cells if not row.records]
    refuse_overridden(session, cells)
    if args.verify:
        os.environ[VERIFY] = "1"
    wanted = dict.fromkeys(e for row, column in own for e in session.experiments(row, column, args.seeds))
    if session.data == args.out / "faces":
        draw_faces(session, wanted)
    experiments = [e for e in wanted if not e.missing()]
    worker = launched()
    if PARENT in os.environ:
        follow_parent()
    else:
        _check(session, wanted, experiments, args.skip_broken)
        for line in (line for e in experiments for line in e.mislaid()):
            log(f"{line}; remove its record to train the fold again")
    checked = digest([e.settings() for e in experiments])
    if os.environ.get(CHECKED, checked) != checked:
        raise UserError(f"{session.data} does not hold what it held when this run began; {REMEDY}")
    todo = [] if args.diff else [e for e in experiments if len(e.records()) < len(e.folds)]
    for thing in [*todo, *(e.pretraining for e in todo if e.pretraining)]:
        thing.claim_settings()
    if todo and not worker:
        processes = min(processes, sum(len(e.folds) for e in todo))
        log(f"{paper.name}: {len(todo)} experiments to run in {processes} process{'es' * (processes > 1)}")
        if processes > 1:
            if code := launch(paper.name, arguments, processes, **{CHECKED: checked}):
                return code
            todo = []
    if worker or todo:
        accelerator = make_accelerator()
        together = (
            accelerator
            if args.data_parallel or (accelerator.num_processes > 1 and accelerator.device.type == "cuda")
            else None
        )
        run(todo, device=accelerator.device, accelerator=together, workers=args.workers)
        wait_for_others(accelerator)
        if worker:
            accelerator.end_training()
            if PARENT in os.environ or not accelerator.is_main_process:
                return 0
    results = [result(session, table, rows, args.seeds) for table, rows in chosen]
    print(tables.as_text(session, results))
    page = write_reports(session, results, cells, args.seeds)
    print(f"\nThe page with the figures: {page}\n{paper.name}: {time.monotonic() - clock:.0f} s in all")
    if not args.strict:
        return 0
    said, code = tables.strict(session, results)
    print(said)
    return code


def open_session(paper: Paper, args: argparse.Namespace) -> Session:
    """The data and settings asked for; with no data named, the generated faces of the output folder."""
    data = args.data or (Path(os.environ["MER_DATA"]) if os.environ.get("MER_DATA") else None)
    if data is not None and not data.is_dir():
        raise UserError(f"{data} is not a folder; --data names the folder that holds the corpora, one folder each")
    generated = data is None or (data / MARKER).exists()
    data = data or args.out / "faces"
    overrides, editions = named("--set", args.set), named("--edition", args.edition)
    for corpus, edition in editions.items():
        if corpus not in CORPORA:
            raise unknown("corpus", corpus, CORPORA)
        if edition not in (known := getattr(CORPORA[corpus], "EDITIONS", ())):
            raise unknown(f"edition of {corpus}", edition, known or ("only one",))
    scale = args.scale or ("smoke" if generated else "paper")
    session = Session(
        paper,
        args.out,
        data,
        scale,
        generated,
        overrides,
        args.weights,
        args.shuffle_labels,
        not args.no_weights,
        editions,
        args.rule,
        args.accept_code,
    )
    session.base  # noqa: B018 (a wrong --set is said before anything is read)
    return session


def named(option: str, items: Sequence[str]) -> dict[str, str]:
    """What an option that may be given several times says, each time as KEY=VALUE."""
    if wrong := [item for item in items if "=" not in item]:
        raise UserError(f"{option} {wrong[0]}: expected key=value")
    return {key: value for key, _, value in (item.partition("=") for item in items)}


def refuse_overridden(session: Session, cells: Sequence[tuple]) -> None:
    """Raises UserError for a --set that a chosen row or column sets itself: it would change nothing there."""
    for table, row, column in cells:
        for kind, part in (("row", row), ("column", column)):
            for key in session.overrides.keys() & part.changes.keys():
                raise UserError(
                    f"--set {key}={session.overrides[key]}: {kind} “{part.name}” of {table.name} sets "
                    f"{key}={part.changes[key]} itself; leave the setting out, or choose other rows and columns"
                )


def draw_faces(session: Session, wanted: Sequence[Experiment]) -> None:
    """Write the generated corpora that the experiments need and that are not there yet."""
    from .synthetic.layouts import LAYOUTS
    from .synthetic.write import write

    corpora = [c for c in LAYOUTS if any(c in e.corpora for e in wanted)]
    drawing = session.data / ".drawing"  # `write` makes whole folders; other corpora may be there already
    with locked(session.out / ".faces.lock"):
        shutil.rmtree(drawing, ignore_errors=True)
        if missing := [c for c in corpora if not (session.data / c).exists()]:
            log(f"no --data and no $MER_DATA: drawing faces in the layouts of {', '.join(missing)} into {session.data}")
            with tqdm(desc="drawing faces", unit="clip", disable=None, leave=False) as bar:

                def progress(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                write(drawing, missing, scale="smoke", progress=progress)
            for name in (MARKER, *missing):
                os.replace(drawing / name, session.data / name)
            shutil.rmtree(drawing)


def _check(session: Session, wanted: Sequence[Experiment], experiments: list[Experiment], skip_broken: bool) -> None:
    """Say what is missing and what is broken before anything is trained. Raises UserError where nothing can run."""
    reasons = dict.fromkeys(reason for e in wanted for reason in e.missing())
    for reason in reasons:
        log(f"missing: {reason}")
    if wanted and not experiments:
        raise UserError("nothing of what was asked for can run on this data:\n  " + "\n  ".join(reasons))
    if reasons:
        log(f"{len(experiments)} of {len(wanted)} experiments can run without; going on with them")
    problems = session.problems(experiments, pixels=False)
    unseen = "" if skip_broken or not problems else " if their images are whole, which is looked at next"
    if not unseen:  # what is wrong with the sheets is said at once, not after minutes of decoding
        problems = session.problems(experiments)
    if problems:
        lines = "\n  ".join(map(str, problems))
        left = "; ".join(
            f"{e.task.name}: {len(session.selected(e.task)[0] if unseen else e.samples)} samples remain"
            for e in {e.task: e for e in experiments}.values()
        )
        if not skip_broken:
            raise UserError(
                f"{len(problems)} problems in {session.data}:\n  {lines}\n{left}{unseen}; "
                f"--skip-broken goes on with those"
            )
        log(f"left out, {len(problems)} problems:\n  {lines}\n{left}")


def write_reports(session: Session, results, cells, seeds: int) -> Path:
    """tables.csv, tables.md and the page, beside the records."""
    from .report.page import page

    contents = {
        "tables.csv": tables.as_csv(session, results),
        "tables.md": tables.as_markdown(session, results),
        "index.html": page(session, results, cells, seeds),
    }
    with locked(session.folder / ".reports.lock"):
        for name, content in contents.items():
            sweep(session.folder, name)
            with replacing(session.folder / name) as temporary:
                temporary.write_text(content, encoding="utf-8")
    return session.folder / "index.html"
