"""The command `compare`: run what is missing of all papers' methods, and set them beside each other."""

import argparse
import time
from collections.abc import Sequence

from .errors import log
from .report import comparison, side_by_side
from .report.comparison import Entry
from .reproduce import complete, open_session, write_files
from .runs.paper import AnyPaper
from .runs.yardstick import YARDSTICK


def compare(papers: Sequence[AnyPaper], args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """The exit code of `compare`; `arguments` are those that processes launched here are given."""
    clock, seeds = time.monotonic(), args.seeds or 1
    columns = comparison.chosen_columns(args.kind, args.columns)
    methods = comparison.chosen_methods([YARDSTICK, *papers], args.kind, args.methods, args.reference)
    sessions = {paper.name: open_session(paper, args) for paper in dict.fromkeys(paper for paper, _ in methods)}
    entries = [Entry(sessions[paper.name], method) for paper, method in methods]
    wanted = dict.fromkeys(
        experiment
        for column in columns
        for entry in entries
        for experiment in entry.session.experiments(entry.method.row, entry.method.on(column), seeds)
    )
    code = complete(entries[0].session, wanted, args, "compare", ["-m", "shared", *arguments])
    if code is not None:
        return code
    made = comparison.compared(args.kind, entries, columns, reference=args.reference, seeds=seeds, papers=papers)
    if args.format:
        print(side_by_side.manuscript(made, args.format, args.intervals))
    else:
        print(side_by_side.as_text(made, leak=args.leak))
    folder = args.out / "compare" / f"{args.kind}-{entries[0].session.folder.name}"
    contents = {
        "comparison.csv": side_by_side.as_csv(made),
        "comparison.md": side_by_side.as_markdown(made, leak=args.leak),
        "index.html": side_by_side.as_page(made, leak=args.leak),
    }
    write_files(folder, contents)
    where = (
        f"\nThe page with the forest plot: {folder / 'index.html'}\ncompare: {time.monotonic() - clock:.0f} s in all"
    )
    log(where) if args.format else print(where)
    return 0
