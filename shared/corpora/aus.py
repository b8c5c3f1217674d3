"""Action-unit strings as the corpora print them: one parser for all their grammars."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from .samples import Collector
from .sheets import Row, as_text

_SIDE = r"[LRABTUV]"
_LEVEL = r"[A-EX]"
_CODE = re.compile(
    rf"(?P<ref>ref\.?\s*)?(?:AU\s*)?(?:{_SIDE}(?:\s*/\s*{_SIDE})*)?\s*(?:AU\s*)?(?P<number>\d+)"
    rf"(?:\s*{_LEVEL}(?:\s*/\s*{_LEVEL})*(?!\s*\d))?(?![A-Z0-9]|\.\d)\s*(?P<doubt>\?*)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<code>{_CODE.pattern})|(?P<either>\bor\b|/)|(?P<join>[+,;&、]|\band\b)|(?P<open>(?:\bref\.?\s*)?\()"
    r"|(?P<close>\))|(?P<doubts>\?+)|(?P<blank>\s+)|(?P<stray>[^+,;&、/()?]+?(?=\bor\b|\band\b|[+,;&、/()?]|$))",
    re.IGNORECASE,
)
REMARKS = ("soft focus",)  # words of the coders beside the units
_WIDE = str.maketrans("，＋；（）？／．", ",+;()?/.")


@dataclass(frozen=True)
class Coding:
    """What an AU string says: units coded as they stand, as one of alternatives, by reference; text not understood."""

    firm: frozenset[int] = frozenset()
    alternatives: frozenset[int] = frozenset()
    references: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    unread: tuple[str, ...] = ()

    def aus(self, *, alternatives: bool = True) -> tuple[int, ...]:
        """The units, sorted; those that are only one of alternatives ("or", "/") count when asked for."""
        units = self.firm | self.references | self.doubtful
        return tuple(sorted(units | self.alternatives if alternatives else units))

    def undecided(self) -> tuple[int, ...]:
        """Units that are there only as an alternative."""
        return tuple(sorted(self.alternatives - self.firm - self.references - self.doubtful))


def parse(cell: object) -> Coding:
    """Reads an AU cell: `4`, `4+7+L10`, `A/L12`, `4A/B`, `ref(7B)+43C`, `(R6 or R12)+R15`, `?`, `0`, 4.0, empty.

    Sides, asymmetry and intensity are dropped. `A/L12` and `4A/B` doubt the side or the intensity, not the unit.
    Stray text and numbers that are no action unit are returned in `unread`; nothing raises."""
    text = as_text(cell).translate(_WIDE)
    if text in ("", "0", "?", "-", "/"):
        return Coding()
    groups: list[list[tuple[int, bool, bool]]] = [[]]
    either: set[int] = set()
    unread: list[str] = []
    depth, reference_depth, place = 0, None, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        place = match.end()
        if match["code"]:
            number = int(match["number"])
            if 0 < number < 99:
                reference = bool(match["ref"]) or reference_depth is not None
                groups[-1].append((number, reference, bool(match["doubt"])))
            else:
                unread.append(match["code"].strip())
        elif match["either"]:
            either.add(len(groups) - 1)
        elif match["join"] and depth == 0:
            groups.append([])
        elif match["open"]:
            depth += 1
            if match["open"].lower().startswith("ref"):
                reference_depth = depth
        elif match["close"]:
            reference_depth = None if reference_depth == depth else reference_depth
            depth = max(0, depth - 1)
        elif match["stray"]:
            unread.append(match["stray"].strip())
    firm, alternatives, references, doubtful = set(), set(), set(), set()
    for i, group in enumerate(groups):
        choice = i in either and len({number for number, _, _ in group}) > 1
        for number, reference, doubt in group:
            kind = alternatives if choice else references if reference else doubtful if doubt else firm
            kind.add(number)
    return Coding(*map(frozenset, (firm, alternatives, references, doubtful)), tuple(filter(None, unread)))


def read_cell(row: Row, column: str, where: str, out: Collector) -> tuple[str, Coding]:
    """The AU cell of a row: as printed, and read. What is not understood is a fault, but for known remarks."""
    value = row.cells.get(column)
    coding = parse(value)
    codes = as_text(value)
    if isinstance(value, (bool, datetime.date)):
        header = row.headers.get(column, column)
        row.faults.append((f"column {header!r} holds {codes!r}, expected action units", "type the cell as text"))
    elif wrong := [piece for piece in coding.unread if piece.lower() not in REMARKS]:
        header = row.headers.get(column, column)
        what = f"column {header!r} holds {codes!r}, expected action units: not understood is {', '.join(wrong)}"
        row.faults.append((what, "correct the sheet"))
    elif coding.unread:
        out.notes.append(f"{where}, row {row.number}: in AUs {codes!r} no unit: {', '.join(coding.unread)}")
    elif not codes:
        out.notes.append(f"{where}, row {row.number}: column {column!r} is empty: no action unit")
    return codes, coding
