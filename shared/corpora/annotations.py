"""The annotation sheet of a corpus: found among its files, and chosen among its editions."""

import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence

from .folders import CorpusFolder
from .samples import Collector
from .sheets import EXTENSIONS, Sheet, SheetError, SheetRow, as_text, read_sheet

OTHERS, LARGE = 20, 2**22  # sheets not named like the release that are tried: how many, and up to which size in bytes


def annotated(
    corpus: CorpusFolder,
    columns: Mapping[str, Sequence[str]],
    editions: Sequence[str],
    edition_of: Callable[[Sheet], str] | None = None,
    wanted: str | None = None,
    *,
    like: str,
    optional: Sequence[str] = (),
    title: str | None = None,
    positions: bool = False,
) -> tuple[Collector, Sheet]:
    """The sheet with these columns of the edition wanted, or of the first of `editions` found, and its collector.

    Sheets named `like` the release (a pattern) come before others; `optional`, `title` and `positions` are those of
    `read_sheet`; a corpus without `edition_of` has one edition. A second sheet of the same edition is a problem where
    it differs. Raises SheetError where no sheet has the columns, or none is of the edition wanted."""

    def read(path: str) -> Sheet:
        return read_sheet(path, columns, optional=optional, title=title, positions=positions)

    found: dict[str, list[Sheet]] = {}
    for sheet in _find_sheets(corpus, like, read):
        found.setdefault(edition_of(sheet) if edition_of else editions[0], []).append(sheet)
    order = sorted(found, key=lambda edition: editions.index(edition) if edition in editions else len(editions))
    if wanted and wanted not in found:
        raise SheetError(f"{corpus.root}: no sheet of the {wanted} edition (found: {', '.join(order)})")
    edition = wanted or order[0]
    sheet, *more = found[edition]
    out = Collector(corpus, edition, (edition, *(e for e in order if e != edition)))
    out.notes += sheet.notes
    if len(found) > 1:
        out.notes.append(f"editions found: {', '.join(order)}; read {os.path.basename(sheet.path)}")
    for other in more:
        if rows := _differing(sheet, other):
            what = f"a second sheet of one edition; it differs from {sheet.path} in row {', '.join(map(str, rows[:5]))}"
            what += f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            out.problem(other.path, None, what, "keep the right one of the two")
        else:
            out.notes.append(f"{other.path} says the same as {sheet.path}, which is read")
    return out, sheet


def _find_sheets(corpus: CorpusFolder, like: str, read: Callable[[str], Sheet]) -> list[Sheet]:
    """The sheets of a corpus that can be read: those named like the release or, where there is none, the others.

    Those skipped go to the notes. Raises SheetError when there is none, with what is wrong with the likeliest one."""

    def distance(path: str) -> tuple[bool, int, int]:
        return os.path.dirname(path) == corpus.beside, path.count(os.sep), len(path)

    paths = sorted(corpus.files(*EXTENSIONS), key=distance)
    likely = [path for path in paths if re.search(like, os.path.basename(path), re.IGNORECASE)]
    others = [p for p in paths if p not in likely and os.path.dirname(p) != corpus.beside]
    others = [p for p in others if os.path.isfile(p) and os.path.getsize(p) < LARGE][:OTHERS]
    errors: list[SheetError] = []

    def readable(paths: list[str]) -> list[Sheet]:
        sheets = []
        for path in paths:
            try:
                sheets.append(read(path))
            except SheetError as error:
                errors.append(error)
        return sheets

    sheets = readable(likely)
    corpus.notes += [f"not read: {error}" for error in errors]
    if sheets:
        corpus.notes += [f"not read: {sheet.path}, not named like the release's" for sheet in readable(others)]
        return sheets
    if sheets := readable(others):
        return sheets
    if errors:
        raise errors[0]
    found = ", ".join(corpus.listing(corpus.root).names[:8]) or "nothing"
    raise SheetError(
        f"{corpus.root}: no annotation sheet ({', '.join(EXTENSIONS)}): found {found} at {corpus.root}, expected the "
        f"sheet there; copy it there from the release"
    )


def _differing(a: Sheet, b: Sheet) -> list[int]:
    """The numbers of the rows of `b` that differ from `a`; of a shorter `b` that of its header."""

    def texts(row: SheetRow | None) -> dict[str, str]:
        return {name: as_text(value) for name, value in row.cells.items()} if row else {}

    pairs = itertools.zip_longest(a.rows, b.rows)
    rows = [row.number for other, row in pairs if row and texts(row) != texts(other)]
    return rows or ([b.header_row] if len(a.rows) > len(b.rows) else [])
