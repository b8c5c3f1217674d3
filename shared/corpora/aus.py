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
    rf"(?P<ref>ref\.?\s*)?(?:AU\s*)?(?:{_SIDE}(?:\s*/\s*{_SIDE})*)?\s*(?:AU\s*)?(?P<number>\d+)"
    rf"(?:\s*{_LEVEL}(?:\s*/\s*{_LEVEL})*(?!\s*\d))?(?![A-Z0-9]|\.\d)\s*(?P<doubt>\?*)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<code>{_CODE.pattern})|(?P<either>\bor\b|/)|(?P<join>[+,;&、]|\band\b)|(?P<open>(?:\bref\.?\s*)?\()"
    r"|(?P<close>\))|(?P<doubts>\?+)|(?P<blank>\s+)|(?P<stray>[^+,;&、/()?]+?(?=\bor\b|\band\b|[+,;&、/()?]|$))",
    re.IGNORECASE,
)
REMARKS = ("soft focus",)  # words that coders wrote beside the units
_WIDE = str.maketrans("，＋；（）？／．", ",+;()?/.")


@dataclass(frozen=True)
class Coding:
    """An AU string as read: units coded as they stand, as one of alternatives, by reference or in doubt; `unread` is
    text that was not understood."""

    firm: frozenset[int] = frozenset()
    alternatives: frozenset[int] = frozenset()
    references: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    unread: tuple[str, ...] = ()

    def aus(self, *, alternatives: bool = True) -> tuple[int, ...]:
        """The units, sorted; with or without those that are only one of several alternatives ("or", "/")."""
        units = self.firm | self.references | self.doubtful
        return tuple(sorted(units | self.alternatives if alternatives else units))

    def undecided(self) -> tuple[int, ...]:
        """The units that are coded only as an alternative."""
        return tuple(sorted(self.alternatives - self.firm - self.references - self.doubtful))


def parse(cell: object) -> Coding:
    """The units of an AU cell: `4`, `4+7+L10`, `A/L12`, `4A/B`, `ref(7B)+43C`, `(R6 or R12)+R15`, `?`, `0`, 4.0, empty.

    Sides, asymmetry and intensity are dropped: `A/L12` and `4A/B` doubt the side or the intensity, not the unit. Stray
    text and numbers that are no action unit are returned in `unread`; nothing raises."""
    text = as_text(cell).translate(_WIDE)
    if text in ("", "0", "?", "-", "/"):
        return Coding()
    groups: list[list[tuple[int, bool, bool]]] = [[]]
    either: set[int] = set()
    unread: list[str] = []
    depth, reference_depth = 0, -1
    for match in _TOKEN.finditer(text):
        if match["code"]:
            number = int(match["number"])
            if number in KNOWN:
                reference = bool(match["ref"]) or reference_depth >= 0
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
            reference_depth = -1 if reference_depth == depth else reference_depth
            depth = max(0, depth - 1)
        elif match["stray"]:
            unread.append(match["stray"].strip())
    firm, alternatives, references, doubtful = set[int](), set[int](), set[int](), set[int]()
    for i, group in enumerate(groups):
        choice = i in either and len({number for number, _, _ in group}) > 1
        for number, reference, doubt in group:
            kind = alternatives if choice else references if reference else doubtful if doubt else firm
            kind.add(number)
    units = frozenset(firm), frozenset(alternatives), frozenset(references), frozenset(doubtful)
    return Coding(*units, tuple(filter(None, unread)))


def read_cell(row: SheetRow, column: str, where: str, out: Collector) -> tuple[str, Coding]:
    """The AU cell of a row as printed and as read. Text that is not understood is a fault, except for known remarks."""
    value = row.cells.get(column)
    coding, codes = parse(value), as_text(value)
    what = f"column {row.header(column)!r} holds {codes!r}, expected action units"
    if isinstance(value, (bool, datetime.date)):
        row.faults.append((what, "type the cell as text"))
    elif wrong := [piece for piece in coding.unread if piece.lower() not in REMARKS]:
        row.faults.append((f"{what}: not understood: {', '.join(wrong)}", "correct the sheet"))
    elif coding.unread:
        out.notes.append(f"{where}, row {row.number}: in AUs {codes!r} no unit: {', '.join(coding.unread)}")
    elif not codes:
        out.notes.append(f"{where}, row {row.number}: column {column!r} is empty: no action unit")
    return codes, coding
