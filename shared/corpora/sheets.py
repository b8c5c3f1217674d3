"""Annotation sheets (.xlsx, .xls, .csv): columns found by name, the header row by content, cells checked one by one."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .folders import Listing
from .table import SheetError

EXTENSIONS = (".xlsx", ".xls", ".csv")
HEADER_WITHIN = 40


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
    path: str, columns: Mapping[str, Sequence[str]], *, optional: Sequence[str] = (), title: str | None = None,
    positions: bool = False,
) -> Sheet:
    """The sheet at `path`; `columns`: the name that the reader uses → the headers it may have (signs and case aside).

    With `positions` a column whose header is not known is taken by its place in `columns`.
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
    if positions and cells:
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
        for i, row in enumerate(cells) if i > best
    ]
    rows = [row for row in rows if not all(_empty(value) for value in row.cells.values())]
    return Sheet(path, best + 1, rows, tuple(names))


def find_sheets(
    folder: str, columns: Mapping[str, Sequence[str]], *, like: str, optional: Sequence[str] = (),
    title: str | None = None, positions: bool = False,
) -> list[Sheet]:
    """The sheets of a folder that have the columns, those named like the release (a pattern) first.

    Raises SheetError when there is none, with what the likeliest one lacks."""
    names = Listing(folder).files(*EXTENSIONS)
    names.sort(key=lambda name: re.search(like, name, re.IGNORECASE) is None)
    if not names:
        raise SheetError(f"{folder}: no annotation sheet ({', '.join(EXTENSIONS)}); copy it there from the release")
    sheets, errors = [], []
    for name in names:
        try:
            path = os.path.join(folder, name)
            sheets.append(read_sheet(path, columns, optional=optional, title=title, positions=positions))
        except SheetError as error:
            errors.append(error)
    if not sheets:
        raise errors[0]
    return sheets
