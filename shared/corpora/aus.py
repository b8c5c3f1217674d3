"""Action units as the corpora print them: one parser for all their grammars."""

import datetime
import re
from dataclasses import dataclass

from .samples import Collector
from .sheets import SheetRow, as_text

KNOWN = range(1, 99)  # numbers of action units in FACS

_SIDE = r"[LRABTUV]"
_LEVEL = r"[A-EX]"
_CODE = re.compile(
    rf"(?:ref\.?\s*)?(?:AU\s*)?(?:{_SIDE}(?:\s*/\s*{_SIDE})*)?\s*(?:AU\s*)?(?P<number>\d+)"
    rf"(?:\s*{_LEVEL}(?:\s*/\s*{_LEVEL})*(?!\s*\d))?(?![A-Z0-9]|\.\d)\s*\?*",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<code>{_CODE.pattern})|(?P<either>\bor\b|/)|(?P<join>[+,;&、]|\band\b)|(?P<open>(?:\bref\.?\s*)?\()"
    r"|(?P<close>\))|\?+|\s+|(?P<stray>[^+,;&、/()?]+?(?=\bor\b|\band\b|[+,;&、/()?]|$))",
    re.IGNORECASE,
)
REMARKS = ("soft focus",)  # words that coders wrote beside the units
_WIDE = str.maketrans("，＋；（）？／．", ",+;()?/.")


@dataclass(frozen=True)
class Coding:
    """An AU string as read: units that are `firm`, and those coded as one of several alternatives ("or", "/");
    `unread` is text that was not understood."""

    firm: frozenset[int] = frozenset()
    alternatives: frozenset[int] = frozenset()
    unread: tuple[str, ...] = ()

    def aus(self) -> tuple[int, ...]:
        """All units, sorted."""
        return tuple(sorted(self.firm | self.alternatives))

    def undecided(self) -> tuple[int, ...]:
        """The units that are coded only as an alternative."""
        return tuple(sorted(self.alternatives - self.firm))


def parse(cell: object) -> Coding:
    """The units of an AU cell: `4`, `4+7+L10`, `A/L12`, `4A/B`, `ref(7B)+43C`, `(R6 or R12)+R15`, `?`, `0`, 4.0, empty.

    Sides, asymmetry and intensity are dropped: `A/L12` and `4A/B` doubt the side or the intensity, not the unit. A unit
    by reference or in doubt counts as firm. Stray text and numbers that are no action unit are returned in `unread`;
    nothing raises."""
    text = as_text(cell).translate(_WIDE)
    if text in ("", "0", "?", "-", "/"):
        return Coding()
    groups: list[set[int]] = [set()]
    either: set[int] = set()  # groups that name alternatives
    unread: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        if match["code"]:
            number = int(match["number"])
            if number in KNOWN:
                groups[-1].add(number)
            else:
                unread.append(match["code"].strip())
        elif match["either"]:
            either.add(len(groups) - 1)
        elif match["join"] and depth == 0:
            groups.append(set())
        elif match["open"]:
            depth += 1
        elif match["close"]:
            depth = max(0, depth - 1)
        elif match["stray"]:
            unread.append(match["stray"].strip())
    firm, alternatives = set[int](), set[int]()
    for i, group in enumerate(groups):
        (alternatives if i in either and len(group) > 1 else firm).update(group)
    return Coding(frozenset(firm), frozenset(alternatives), tuple(filter(None, unread)))


def read_cell(row: SheetRow, column: str, where: str, out: Collector) -> tuple[str, Coding]:
    """The AU cell of a row as printed and as read. Text that is not understood is a fault, except for known remarks."""
    value = row.cells[column]
    coding, codes = parse(value), as_text(value)
    what = f"column {row.headers[column]!r} holds {codes!r}, expected action units"
    if isinstance(value, (bool, datetime.date)):
        row.faults.append((what, "type the cell as text"))
    elif wrong := [piece for piece in coding.unread if piece.lower() not in REMARKS]:
        row.faults.append((f"{what}: not understood: {', '.join(wrong)}", "correct the sheet"))
    elif coding.unread:
        out.notes.append(f"{where}, row {row.number}: in AUs {codes!r} no unit: {', '.join(coding.unread)}")
    elif not codes:
        out.notes.append(f"{where}, row {row.number}: column {column!r} is empty: no action unit")
    return codes, coding
