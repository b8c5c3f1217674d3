"""`bash reproduce.sh weights`: the published files that rows can start from, and which of them are there."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError, log
from ..runs.config import changed
from ..runs.paper import AnyPaper
from ..runs.published import Published


def print_downloads(papers: Iterable[AnyPaper], weights_dir: Path, get: bool) -> int:
    """Print each file, what needs it and whether `weights_dir` holds it; with `get`, first fetch what is missing."""
    needed: dict[tuple[str, str], dict[str, Published]] = {}
    for paper in papers:
        for file in paper.published:
            needed.setdefault((file.name, file.source), {})[need(paper, file)] = file
    failed = []
    for needs in needed.values():
        file = next(iter(needs.values()))
        namesakes = [f for each in needed.values() for f in each.values() if f.name == file.name]
        path = weights_dir / file.name
        if get and file.url and not path.exists():
            log(f"fetching {file.url}")
            try:
                file.fetch(weights_dir)
            except UserError as error:
                failed.append(str(error))
        print(f"{file.name}: {file.what}")
        lines = [("found", state(file, path, namesakes)), ("where", f"{file.url or file.source} (not verified)")]
        lines += [("check", file.check), ("licence", file.licence), *(("needed", line) for line in needs)]
        if not file.url and not path.exists():
            lines.append(("by hand", file.origin))
        print(*(f"  {name.ljust(8)} {line}" for name, line in lines), sep="\n")
    if failed:
        raise UserError("\n".join(failed))
    return 0


def state(file: Published, path: Path, namesakes: Iterable[Published]) -> str:
    """Whether `path` holds the file, or another one of its name."""
    if not path.is_file():
        return f"not in {path.parent}"
    fault = file.fault(path)
    if file.known and not fault:
        return f"{path}: this file"
    for other in namesakes:
        if other.known and not other.fault(path):
            return f"{path}: another file of this name, {other.what}"
    if fault:
        return f"{path}: not this file, because {fault}"
    return f"{path}: there; nothing is known by which to tell whether it is this file"


def need(paper: AnyPaper, file: Published) -> str:
    """The rows of a paper that start from a file at paper scale, or the setting that makes them."""
    base = paper.base("paper", {})
    rows: dict[str, bool] = {}
    cells = [(table, row, column) for table in paper.tables for row, column in table.cells() if not row.records]
    for table, row, column in cells:
        name, config = f"{table.name}/{row.name}", changed(base, {**row.changes, **column.changes})
        rows[name] = rows.get(name, False) or file.name in paper.files(config)
    used = [name for name, uses in rows.items() if uses]
    if not used:
        return f"{paper.name}: rows run with --set {file.setting}"
    which = "all rows" if len(used) == len(rows) else f"{len(used)} of {len(rows)} rows: {'; '.join(used[:3])}"
    return f"{paper.name}: {which}{'; …' * (3 < len(used) < len(rows))} ({file.setting}). {file.without}"
