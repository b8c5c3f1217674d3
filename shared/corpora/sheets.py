"""Annotation sheets (.xlsx, .xls, .csv): columns found by name, the header row by content, cells checked one by one."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import UserError
from .folders import Corpus
from .samples import Collector

EXTENSIONS = (".xlsx", ".xls", ".csv")
HEADER_WITHIN = 40
OTHERS, LARGE = 20, 2**22  # sheets not named like the release that are looked into: how many, and up to which size


class SheetError(UserError, ValueError):
    """An annotation file that cannot be used at all: which file, what was expected, what to do."""


@dataclass
class Row:
    """A row of a sheet; `number` as Excel shows it, `headers` as printed. What a cell lacks is added to `faults`."""

    number: int
    cells: dict[str, object]
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, column: str, expected: str) -> None:
        """Notes that the cell does not hold what was expected."""
        value = self.cells.get(column)
        found = "is empty" if _empty(value) else f"holds {value!r}"
        column = self.headers.get(column, column)
        self.faults.append((f"column {column!r} {found}, expected {expected}", "correct the sheet"))

    def text(self, column: str, expected: str = "text") -> str:
        """The cell as text, whole numbers without their .0; a fault when empty."""
        value = as_text(self.cells.get(column))
        if not value:
            self.fault(column, expected)
        return value

    def whole(self, column: str, expected: str) -> int:
        """A whole number, written as text, padded or not, or as a number; -1 and a fault when the cell holds none."""
        value = as_int(self.cells.get(column))
        if value is None:
            self.fault(column, expected)
        return -1 if value is None else value

    def frame(self, column: str) -> int:
        return self.whole(column, "a frame number")

    def subject(self, column: str, named: str = "") -> int:
        """The number of a subject (`sub01`, `spNO.1`, 1); a fault where the clip's name begins with another one."""
        text = as_text(self.cells.get(column))
        prefixed = re.fullmatch(r"[A-Za-z]+[ ._-]?(\d+)", text, re.ASCII)
        number = int(prefixed[1]) if prefixed else self.whole(column, "a subject's number")
        begins = re.match(r"[A-Za-z]*0*(\d+)", named)
        if number >= 0 and begins and int(begins[1]) != number:
            self.fault(column, f"subject {begins[1]} of clip {named}")
        return number

    def word(self, column: str, known: Sequence[str]) -> str:
        """One of the known words, in lower case; a fault otherwise."""
        value = as_text(self.cells.get(column)).lower()
        if value not in known:
            self.fault(column, "one of " + ", ".join(known))
        return value


@dataclass
class Sheet:
    """A sheet's rows and columns under the names that the reader asked for."""

    path: str
    header_row: int
    rows: list[Row]
    columns: tuple[str, ...]


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value


def as_text(value: object) -> str:
    """A cell as text: blanks trimmed, 4.0 as '4', an empty cell as ''."""
    if _empty(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def as_int(value: object) -> int | None:
    """A cell as a whole number that is not negative, None when it is none."""
    if isinstance(value, int):  # by far the most
        return None if isinstance(value, bool) or not 0 <= value < 10**9 else value
    text = as_text(value)
    match = re.fullmatch(r"(\d{1,9})(?:\.0*)?", text, re.ASCII)
    return int(match[1]) if match else None


def _plain(header: object) -> str:
    return re.sub(r"[^a-z0-9]", "", as_text(header).lower())


def _cells(path: str, title: str | None) -> list[list[object]]:
    """All rows of the sheet `title`, or of the first one."""
    try:
        if path.lower().endswith(".csv"):
            return _csv(path)
        if path.lower().endswith(".xls"):
            import xlrd

            book = xlrd.open_workbook(path)
            sheet = book.sheet_by_name(title) if title in book.sheet_names() else book.sheet_by_index(0)
            return [sheet.row_values(i) for i in range(sheet.nrows)]
        import openpyxl

        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = book[title] if title in book.sheetnames else book.worksheets[0]
            sheet.reset_dimensions()
            return [list(row) for row in sheet.iter_rows(values_only=True)]
        finally:
            book.close()
    except OSError:
        raise
    except Exception as error:
        raise SheetError(f"{path}: cannot be read as a sheet ({error}); restore it from the release") from error


def _csv(path: str) -> list[list[object]]:
    with open(path, "rb") as file:
        data = file.read()
    for encoding in ("utf-8-sig", "gb18030", "latin-1"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    head = text.partition("\n")[0]
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)))


def read_sheet(
    path: str,
    columns: Mapping[str, Sequence[str]],
    *,
    optional: Sequence[str] = (),
    title: str | None = None,
    positions: bool = False,
) -> Sheet:
    """The sheet at `path`; `columns`: the name that the reader uses → the headers it may have (signs and case aside).

    With `positions`, where most headers are known, a column of another one is taken by its place in `columns`.
    Raises SheetError that names the columns missing and the headers found."""
    cells = _cells(path, title)
    spelled = {_plain(header): name for name, headers in columns.items() for header in (name, *headers)}
    best, names = 0, {}
    for i, row in enumerate(cells[:HEADER_WITHIN]):
        found: dict[str, int] = {}
        for j, header in enumerate(row):
            if _plain(header) in spelled:
                found.setdefault(spelled[_plain(header)], j)
        if len(found) > len(names):
            best, names = i, found
    if positions and len(names) > len(columns) // 2:
        free = set(range(len(cells[best]))) - set(names.values())
        names.update((name, j) for j, name in enumerate(columns) if name not in names and j in free)
    missing = [name for name in columns if name not in names and name not in optional]
    if missing:
        spellings = "".join(f"{name} is also met as {', '.join(columns[name])}; " for name in missing if columns[name])
        there = ", ".join(repr(as_text(h)) for h in cells[best] if as_text(h)) if cells else "nothing"
        raise SheetError(
            f"{path}, row {best + 1}: no column {', '.join(map(repr, missing))} ({spellings}headers found: {there}); "
            f"rename the column as in the release"
        )
    printed = {name: as_text(cells[best][j]) or name for name, j in names.items()}
    rows = [
        Row(i + 1, {name: row[j] if j < len(row) else None for name, j in names.items()}, printed)
        for i, row in enumerate(cells)
        if i > best
    ]
    rows = [row for row in rows if not all(_empty(value) for value in row.cells.values())]
    return Sheet(path, best + 1, rows, tuple(names))


def find_sheets(
    corpus: Corpus,
    columns: Mapping[str, Sequence[str]],
    *,
    like: str,
    optional: Sequence[str] = (),
    title: str | None = None,
    positions: bool = False,
) -> list[Sheet]:
    """The sheets of a corpus that have the columns: those named like the release (a pattern), or else the others.

    What is passed over goes to the corpus's notes. Raises SheetError when there is none, with what the likeliest one
    lacks."""

    def distance(path: str) -> tuple[bool, int, int]:
        return os.path.dirname(path) == corpus.beside, path.count(os.sep), len(path)

    paths = sorted(corpus.files(*EXTENSIONS), key=distance)
    likely = [path for path in paths if re.search(like, os.path.basename(path), re.IGNORECASE)]
    others = [p for p in paths if p not in likely and os.path.dirname(p) != corpus.beside]
    others = [p for p in others if os.path.getsize(p) < LARGE][:OTHERS]
    errors: list[SheetError] = []

    def read(paths: list[str]) -> list[Sheet]:
        sheets = []
        for path in paths:
            try:
                sheets.append(read_sheet(path, columns, optional=optional, title=title, positions=positions))
            except SheetError as error:
                errors.append(error)
        return sheets

    sheets = read(likely)
    if sheets:
        corpus.notes += [f"not read: {error}" for error in errors]
        corpus.notes += [f"not read: {sheet.path}, not named like the release's" for sheet in read(others)]
    else:
        sheets = read(others)
    if sheets:
        return sheets
    if errors:
        raise errors[0]
    listing = corpus.listing(corpus.root)
    found = ", ".join(listing.names[:8]) or "nothing"
    raise SheetError(
        f"{corpus.root}: no annotation sheet ({', '.join(EXTENSIONS)}): found {found} at {corpus.root}, expected the "
        f"sheet there; copy it there from the release"
    )


def annotated(
    corpus: Corpus,
    sheets: Sequence[Sheet],
    editions: Sequence[str],
    edition_of: Callable[[Sheet], str],
    wanted: str | None = None,
) -> tuple[Collector, Sheet]:
    """The sheet of the edition wanted, or of the first of `editions` that is there, and a collector for it.

    A second sheet of that edition is a problem where it differs. Raises SheetError where the edition wanted is not
    there."""
    found: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        found.setdefault(edition_of(sheet), []).append(sheet)
    order = sorted(found, key=lambda edition: editions.index(edition) if edition in editions else len(editions))
    if wanted and wanted not in found:
        raise SheetError(f"{corpus.root}: no sheet of the {wanted} edition (found: {', '.join(order)})")
    edition = wanted or order[0]
    sheet, *more = found[edition]
    editions = [edition, *(e for e in order if e != edition)]
    out = Collector(corpus.names[0], corpus.root, edition, editions, corpus.notes)
    if len(found) > 1:
        out.notes.append(f"editions found: {', '.join(order)}; read {os.path.basename(sheet.path)}")
    for other in more:
        if rows := _differing(sheet, other):
            what = f"a second sheet of one edition; it differs from {sheet.path} in row {', '.join(map(str, rows[:5]))}"
            what += f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            out.problem(other.path, None, what, "leave the right one of the two in")
        else:
            out.notes.append(f"{other.path} says the same as {sheet.path}, which is read")
    return out, sheet


def _differing(a: Sheet, b: Sheet) -> list[int]:
    """The rows of `b` that are not as in `a`, counted as in `b`."""
    first, second = ([{name: as_text(value) for name, value in row.cells.items()} for row in s.rows] for s in (a, b))
    rows = [b.rows[i].number for i, cells in enumerate(second) if i >= len(first) or cells != first[i]]
    return rows or ([b.header_row] if len(first) != len(second) else [])
