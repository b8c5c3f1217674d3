"""Annotation sheets (.xlsx, .xls, .csv): columns found by name, the header row by content, cells checked one by one."""

import codecs
import csv
import errno
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import UserError
from ..files import opened

EXTENSIONS = (".xlsx", ".xls", ".csv")
ROWS, COLUMNS, LINE, BYTES = (2**20, 2**10, 2**20, 2**28)  # of the largest sheet that is read; Excel has as many rows
HEADER_WITHIN = 40  # first rows of a sheet among which the header is looked for


class SheetError(UserError, ValueError):
    """An annotation file that cannot be used at all: which file, what was expected, what to do."""


@dataclass
class SheetRow:
    """A row of a sheet; `number` as Excel shows it, `headers` as printed.

    A cell that does not hold what is expected adds to `faults`: what is wrong, and what to do about it."""

    number: int
    cells: dict[str, object]
    headers: dict[str, str]
    faults: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, column: str, expected: str) -> None:
        """Adds the fault that the cell does not hold what was expected."""
        value = self.cells[column]
        found = "is empty" if _empty(value) else f"holds {value!r}"
        self.faults.append((f"column {self.headers[column]!r} {found}, expected {expected}", "correct the sheet"))

    def text(self, column: str, expected: str = "text") -> str:
        """The cell as text, whole numbers without their .0; a fault when empty."""
        value = as_text(self.cells[column])
        if not value:
            self.fault(column, expected)
        return value

    def whole(self, column: str, expected: str) -> int:
        """The cell as a whole number, padded or not; -1 and a fault when it is none."""
        value = as_int(self.cells[column])
        if value is None:
            self.fault(column, expected)
            return -1
        return value

    def subject(self, column: str, clip: str = "") -> int:
        """The number of a subject (`sub01`, `spNO.1`, 1); a fault where the clip's name begins with another number."""
        text = as_text(self.cells[column])
        prefixed = re.fullmatch(r"[A-Za-z]+[ ._-]?(\d+)", text, re.ASCII)
        number = int(prefixed[1]) if prefixed else self.whole(column, "a subject's number")
        begins = re.match(r"[A-Za-z]*0*(\d+)", clip)
        if number >= 0 and begins and int(begins[1]) != number:
            self.fault(column, f"subject {begins[1]} of clip {clip}")
        return number

    def word(self, column: str, known: Sequence[str]) -> str:
        """The cell in lower case; a fault when it is none of the known words."""
        value = as_text(self.cells[column]).lower()
        if value not in known:
            self.fault(column, "one of " + ", ".join(known))
        return value


@dataclass
class Sheet:
    """The rows of a sheet, with columns under the names that the reader asked for; `notes` on how they were found."""

    path: str
    header_row: int
    rows: list[SheetRow]
    columns: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


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
    """A cell as a whole number that is not negative, or None."""
    if isinstance(value, int):  # most cells
        return None if isinstance(value, bool) or not 0 <= value < 10**9 else value
    match = re.fullmatch(r"(\d{1,9})(?:\.0*)?", as_text(value), re.ASCII)
    return int(match[1]) if match else None


def _bare(header: object) -> str:
    """A header without case, blanks and signs."""
    return re.sub(r"[^a-z0-9]", "", as_text(header).lower())


def _named(row: Iterable[object], spelled: Mapping[str, str]) -> dict[str, list[int]]:
    """The columns of a row by the names that their headers stand for."""
    found: dict[str, list[int]] = {}
    for j, header in enumerate(row):
        if name := spelled.get(_bare(header)):
            found.setdefault(name, []).append(j)
    return found


def _tables(path: str, title: str | None, spelled: Mapping[str, str]) -> Iterator[tuple[str, list[list[object]]]]:
    """The title and all rows of the workbook's sheet `title` or, where it has none of that title, of each in turn."""
    try:
        with opened(path) as file:
            data = file.read(BYTES + 1)
        if len(data) > BYTES:
            raise ValueError(f"it has more than {BYTES:,} bytes")
        kind = path[-4:].lower()
        tables = [("", _csv(data, spelled))] if kind == ".csv" else list((_xls if kind == ".xls" else _xlsx)(data))
        if not tables:
            raise ValueError("it has no sheet")
        for name, rows in [table for table in tables if table[0] == title] or tables:
            cells = [list(row) for row in itertools.islice(rows, ROWS + 1)]
            if len(cells) > ROWS:
                raise ValueError(f"it has more than {ROWS:,} rows")
            yield name, cells
    except Exception as error:  # a damaged workbook makes its readers raise anything
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.ELOOP):
            raise
        raise SheetError(f"{path}: cannot be read as a sheet ({error}); restore it from the release") from error


def _xls(data: bytes) -> Iterator[tuple[str, Iterator[Sequence[object]]]]:
    import xlrd

    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), ragged_rows=True)
    for sheet in book.sheets():
        yield sheet.name, map(sheet.row_values, range(sheet.nrows))


def _xlsx(data: bytes) -> Iterator[tuple[str, Iterator[Sequence[object]]]]:
    import openpyxl

    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        if sum(part.file_size for part in parts.infolist()) > 4 * BYTES:
            raise ValueError(f"it unpacks to more than {4 * BYTES:,} bytes")
    for sheet in openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets:
        sheet.reset_dimensions()  # they can be wrong
        yield sheet.title, (row[:COLUMNS] for row in sheet.iter_rows(values_only=True))


def _csv(data: bytes, spelled: Mapping[str, str]) -> Iterator[Sequence[object]]:
    """The rows of a text, split as the line that names the most columns is."""
    text = _text(data)
    lines = list(itertools.islice(_lines(text), HEADER_WITHIN))
    delimiter = max(",;\t", key=lambda sign: max((len(_named(line.split(sign), spelled)) for line in lines), default=0))
    return csv.reader(_lines(text), delimiter=delimiter)


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return data.decode("latin-1")


def _lines(text: str) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        if len(line) > LINE:
            raise ValueError(f"it has a line of more than {LINE:,} characters")
        yield line


def read_sheet(
    path: str,
    columns: Mapping[str, Sequence[str]],
    *,
    optional: Sequence[str] = (),
    title: str | None = None,
    positions: bool = False,
) -> Sheet:
    """The first sheet at `path` that has the columns; only the one called `title`, if there is one.

    `columns`: the name that the reader uses → other headers that it may have (signs and case are ignored). With
    `positions`, where most headers are known, a column with an unknown header is found by its place in `columns`, and
    noted. Raises SheetError, which names the missing columns and the headers found in the sheet that has the most, or
    the columns of one name that contradict each other."""
    spelled = {_bare(header): name for name, headers in columns.items() for header in (name, *headers)}
    looked: list[tuple[int, str, str]] = []  # of each sheet: how many columns are missing, its title, what to say
    for table, cells in _tables(path, title, spelled):
        header, found = _header(cells, spelled)
        taken: dict[str, int] = {}
        if positions and len(found) > len(columns) // 2:
            free = set(range(len(cells[header]))).difference(*found.values())
            taken = {name: j for j, name in enumerate(columns) if name not in found and j in free}
        names = {name: places[0] for name, places in found.items()} | taken
        missing = [name for name in columns if name not in names and name not in optional]
        if not missing:
            _refuse_contradictions(path, cells, header, found)
            sheet = _sheet(path, cells, header, names)
            for name, j in taken.items():
                what = f"{as_text(cells[header][j])!r} (column {j + 1}) is taken for {name} by its place"
                sheet.notes.append(f"{path}, row {header + 1}: {what}")
            return sheet
        spellings = "".join(f"{name} is also met as {', '.join(columns[name])}; " for name in missing if columns[name])
        there = ", ".join(repr(as_text(h)) for h in cells[header] if as_text(h)) if cells else "nothing"
        what = f"row {header + 1}: no column {', '.join(map(repr, missing))} ({spellings}headers found: {there})"
        looked.append((len(missing), table, what))
    _, table, what = min(looked, key=lambda one: one[0])
    where = path if len(looked) == 1 else f"{path}, sheet {table!r}"
    others = f" (sheets looked at: {', '.join(repr(name) for _, name, _ in looked)})" if len(looked) > 1 else ""
    raise SheetError(f"{where}, {what}; rename the column as in the release{others}")


def _header(cells: list[list[object]], spelled: Mapping[str, str]) -> tuple[int, dict[str, list[int]]]:
    """The place of the row that names the most columns, and the columns by name."""
    named = [_named(row, spelled) for row in cells[:HEADER_WITHIN]] or [{}]
    best = max(range(len(named)), key=lambda i: len(named[i]))
    return best, named[best]


def _refuse_contradictions(path: str, cells: list[list[object]], header: int, found: Mapping[str, list[int]]) -> None:
    """Raises SheetError where two columns of one name differ in a row."""
    for name, places in found.items():
        for number, row in enumerate(cells[header + 1 :] if len(places) > 1 else (), header + 2):
            texts = [as_text(row[j]) if j < len(row) else "" for j in places]
            if len(set(texts)) > 1:
                columns = " and ".join(f"{as_text(cells[header][j])!r} (column {j + 1})" for j in places)
                raise SheetError(
                    f"{path}, row {number}: {columns} both stand for {name!r} and hold {', '.join(map(repr, texts))}; "
                    "rename or remove the one that is not the release's"
                )


def _sheet(path: str, cells: list[list[object]], header: int, names: Mapping[str, int]) -> Sheet:
    printed = {name: as_text(cells[header][j]) or name for name, j in names.items()}
    rows = [
        SheetRow(number, {name: row[j] if j < len(row) else None for name, j in names.items()}, printed)
        for number, row in enumerate(cells[header + 1 :], header + 2)
    ]
    rows = [row for row in rows if not all(_empty(value) for value in row.cells.values())]
    return Sheet(path, header + 1, rows, tuple(names))
