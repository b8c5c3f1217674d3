"""The command line: what each command runs, and how it ends."""

import ast
import importlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .errors import Stopped, UserError
from .options import parse

if TYPE_CHECKING:
    from .runs.paper import Paper

ROOT = Path(__file__).parents[1]
LOADER_KILLED = (
    "a process that reads images was killed, often because memory ran out; rerun the same command to resume, with "
    "fewer --workers if it happens again"
)


def main(paper: "Paper | str | None" = None, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `bash reproduce.sh …`, or with a paper or the name of its package `python -m PAPER …`, and exit.

    Exit codes: 0; 1 if --strict finds a difference or `predict` fails on some clips; 2, with a message, if the user can
    fix the cause; 143 and 138 after SIGTERM and SIGUSR1. After Ctrl-C this process ends by SIGINT, so that a script
    stops; 130 if `arguments` are given.
    """
    whole = arguments is None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for paths that are not UTF-8
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        paper = load(paper) if isinstance(paper, str) else paper
        code = run([paper.name, *arguments] if paper else arguments, paper)
        sys.stdout.flush()
    except BrokenPipeError:  # `… list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        print(f"error: {LOADER_KILLED}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        remark("stopped; rerun the same command to resume")
        code = 130
    except Stopped as stopped:
        name = signal.Signals(stopped.number).name
        remark(
            f"stopped by {name}: finished folds and a checkpoint of a pre-training are kept, unfinished folds start "
            "again; rerun the same command to resume"
        )
        code = 128 + stopped.number
    if whole and code == 130:
        from .runs.stopping import end_by

        end_by(signal.SIGINT)
    sys.exit(code)


def remark(text: str) -> None:
    """Say on standard error how this process ended; one that was launched leaves it to the one that launched it."""
    if "MER_PARENT" not in os.environ:
        print(text, file=sys.stderr)


def run(arguments: list[str], paper: "Paper | None" = None) -> int:
    """The exit code of one command; `paper` is the one that it names, if its package started this process."""
    if arguments[:1] == ["test"] and paper is None:  # pytest parses its own arguments
        return run_tests(arguments[1:])
    program, known = ("python -m", {paper.name: paper.title}) if paper else ("bash reproduce.sh", papers())
    check_only = arguments[:1] == ["check"] and paper is None  # asked for by reproduce.sh, which then asks again
    args = parse(program, known, arguments[check_only:])
    if check_only:
        return 0
    match args.command:
        case "all":
            return run_all(args.out, arguments[1:])
        case "list":
            return list_rows([load(name) for name in args.papers])
        case "digits":
            return print_digits(map(load, args.papers))
        case "data":
            from .report.survey import print_survey

            return print_survey(args.data, args.csv, args.verify, map(load, known))
        case "weights":
            from .report.downloads import print_downloads

            return print_downloads(map(load, args.papers), args.weights, args.get)
        case "compare":
            from .compare import compare

            return compare([load(name) for name in known], args, arguments)
        case "claims":
            from .claims import claims

            return claims([load(name) for name in args.papers], args, arguments)
        case "faces":
            from .faces import write_faces

            return write_faces(args)
        case "predict":
            from .report.predict import predict

            return predict(paper or load(args.paper), args)
        case "export":
            from .export import export

            return export(args)
        case "fit":
            from .fit import fit

            return fit(paper or load(args.paper), args, arguments)
    from .reproduce import reproduce

    return reproduce(paper or load(args.paper), args, arguments[1:])


def papers() -> dict[str, str]:
    """The packages beside this one that declare a paper, each with the first line of its docstring."""
    found = {}
    for path in sorted(ROOT.glob("*/experiments.py")):
        if re.search(r"^PAPER\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            init = path.with_name("__init__.py").read_text(encoding="utf-8")
            found[path.parent.name] = (ast.get_docstring(ast.parse(init)) or "").partition("\n")[0].rstrip(".")
    return found


def load(name: str) -> "Paper":
    """The declaration of a paper of this project."""
    paper: Paper = importlib.import_module(f"{name}.experiments").PAPER
    return paper


def run_all(out: Path, arguments: list[str]) -> int:
    """Run the headline rows of every paper, one after the other, and write a page that links to theirs.

    Returns the highest exit code."""
    from .files import write_text
    from .report.page import index

    codes = {}
    for name in papers():
        try:
            code = subprocess.call([sys.executable, "-m", name, *arguments])
        except KeyboardInterrupt:  # which the paper's own process reports
            return 130
        codes[name] = 128 - code if code < 0 else code  # as a shell counts signals
    pages = [page for name in codes for page in sorted(out.glob(f"{name}/*/index.html"))]
    write_text(out / "index.html", index({page: page.relative_to(out).as_posix() for page in pages}))
    print(f"\nThe page that links to all: {out / 'index.html'}")
    for name, code in codes.items():
        print(f"  {name}: {'done' if code == 0 else f'ended with exit code {code}'}")
    return max(codes.values())


def list_rows(chosen: "Sequence[Paper]") -> int:
    """Print papers, tables and rows, the corpora that each row needs, and the columns and methods of `compare`."""
    from .report.comparison import KINDS, columns_of
    from .runs.yardstick import YARDSTICK

    for paper in chosen:
        print(f"{paper.name}: {paper.title}; headline: {', '.join(paper.headline)}")
        for table in paper.tables:
            print(f"  {table.name}: {table.title}")
            for row in table.rows:
                needs = dict.fromkeys(c for r, column in table.cells() if r is row for c in paper.corpora(row, column))
                lent = f"the records of {row.records}, which need " if row.records else ""
                print(f"    {table.name}/{row.name}: needs {lent}{', '.join(needs)}")
    for kind in KINDS:
        print(f"compare {kind}: columns {', '.join(columns_of(kind))}")
        for paper in (YARDSTICK, *chosen):
            if methods := [method.row.name for method in paper.comparison.get(kind, ())]:
                print(f"  methods of {paper.name}: {', '.join(methods)}")
    return 0


def print_digits(chosen: "Iterable[Paper]") -> int:
    """Print what the digits of each paper's numbers allow."""
    from .report.digits import describe_digits

    for paper in chosen:
        print(f"{paper.name}: what the digits of its own printed numbers allow", *describe_digits(paper), sep="\n")
    return 0


def run_tests(arguments: list[str]) -> int:
    """Run the tests on all cores, at most 8, unless the arguments choose how pytest spreads them or debugs."""
    import pytest

    chosen = any(a.startswith(("-n", "--numprocesses", "--dist", "--pdb", "-p")) for a in arguments)
    spread = [] if chosen else ["-n", str(min(len(os.sched_getaffinity(0)), 8)), "--dist", "worksteal"]
    return int(pytest.main([*spread, *arguments]))
