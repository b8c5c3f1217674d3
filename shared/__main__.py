"""`python -m shared …`: what reproduce.sh hands over to: list, data, diff, digits, faces, or a paper by its name."""

import argparse
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

from .errors import UserError, unknown

COMMANDS = ("all", "list", "data", "diff", "digits", "faces", "test")


def papers() -> list[str]:
    """The packages beside this one that declare tables."""
    root = Path(__file__).parent.parent
    return sorted(p.parent.name for p in root.glob("*/experiments.py"))


def paper(name: str):
    if name not in papers():
        raise unknown("paper or command", name, [*papers(), *COMMANDS])
    return importlib.import_module(f"{name}.experiments").PAPER


def main(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command in ("-h", "--help"):
        print(__doc__.strip(), f"papers: {', '.join(papers())}", f"commands: {', '.join(COMMANDS)}", sep="\n")
        return 0
    if command == "all":
        return run_all(rest)
    if command == "list":
        return list_rows(rest)
    if command == "faces":
        return write_faces(rest)
    if command == "data":
        from .report.survey import main as survey

        return survey(rest, map(paper, papers()))
    if command == "digits":
        from .report.digits import lines

        for p in [paper(name) for name in rest or papers()]:
            print(f"{p.name}: what the digits of its own printed numbers allow", *lines(p), sep="\n")
        return 0
    if command == "test":
        return run_tests(rest)
    from .cli import main as run

    if command == "diff":
        if not rest:
            raise UserError(f"diff needs a paper: {', '.join(papers())}")
        command, *rest = [*rest, "--diff"]
    return run(paper(command), rest)


def run_tests(arguments: list[str]) -> int:
    """The tests, over the machine's cores unless the arguments say how pytest-xdist or the debugger runs them."""
    import pytest

    chosen = any(a.startswith(("-n", "--numprocesses", "--dist", "--pdb", "-p")) for a in arguments)
    spread = [] if chosen else ["-n", str(min(len(os.sched_getaffinity(0)), 8)), "--dist", "loadfile"]
    return int(pytest.main([*spread, *arguments]))


def run_all(arguments: list[str]) -> int:
    """The headline rows of every paper, one after the other, and a page that leads to theirs; the worst exit code."""
    from .cli import parser
    from .files import replacing
    from .report.page import index

    out = parser("all").parse_args(arguments).out
    codes = {name: subprocess.call([sys.executable, "-m", name, *arguments]) for name in papers()}
    pages = [page for name in codes for page in sorted(out.glob(f"{name}/*/index.html"))]
    with replacing(out / "index.html") as temporary:
        temporary.write_text(index({page: page.relative_to(out).as_posix() for page in pages}), encoding="utf-8")
    print(f"\nThe page that leads to all: {out / 'index.html'}")
    for name, code in codes.items():
        print(f"  {name}: {'done' if code == 0 else f'ended with exit code {code}'}")
    return max(codes.values())


def list_rows(names: list[str]) -> int:
    """Papers, tables, rows, and which corpora each row needs."""
    for p in [paper(name) for name in names or papers()]:
        print(f"{p.name}: {p.title}; headline: {', '.join(p.headline)}")
        for table in p.tables:
            print(f"  {table.name}: {table.title}")
            for row in table.rows:
                needs = dict.fromkeys(c for r, column in table.cells() if r is row for c in p.corpora(row, column))
                lent = f"the records of {row.records}, which need " if row.records else ""
                print(f"    {table.name}/{row.name}: needs {lent}{', '.join(needs)}")
    return 0


def write_faces(arguments: list[str]) -> int:
    """The generated corpora, for a look or for a rehearsal."""
    from tqdm import tqdm

    from .cli import at_least
    from .synthetic.write import truth, write

    p = argparse.ArgumentParser(prog="faces", description=write_faces.__doc__)
    p.add_argument("folder", type=Path)
    p.add_argument("--full", action="store_true", help="at the real corpora's counts of subjects, clips and labels")
    p.add_argument("--corpora", nargs="+", metavar="CORPUS", help="only these")
    p.add_argument("--size", type=at_least(8), default=128, help="side of a face in pixels (default: 128)")
    p.add_argument("--seed", type=at_least(0), default=0, help="draw other people (default: 0)")
    p.add_argument("--no-pixels", action="store_true", help="placeholders for images, to rehearse indexing")
    args = p.parse_args(arguments)
    clock = time.monotonic()
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds between two states of the bar: in a log each is a line
    with tqdm(desc="drawing faces", unit="clip", mininterval=pause, maxinterval=pause) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        write(
            args.folder,
            args.corpora,
            scale="full" if args.full else "smoke",
            size=args.size,
            seed=args.seed,
            pixels=not args.no_pixels,
            progress=progress,
        )
    drawn = truth(args.folder)
    for corpus, clips in drawn.groupby("corpus", sort=False):
        print(f"{corpus}: {len(clips)} clips of {clips['person'].nunique()} people, {clips['frames'].sum()} frames")
    files = {(s.st_dev, s.st_ino): s.st_size for f in args.folder.rglob("*") if f.is_file() and (s := f.stat())}
    print(
        f"{args.folder} holds generated faces, drawn, not recorded: {len(drawn)} clips, {drawn['frames'].sum()} "
        f"frames, {sum(files.values()) / 2**30:.2f} GiB; {time.monotonic() - clock:.0f} s"
    )
    return 0


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except BrokenPipeError:  # `… list | head`
        sys.stdout = None
        code = 0
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)
