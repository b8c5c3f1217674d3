"""Known defects of the released sheets, as data: the sample, the column, the value printed, the right one, and why.

A correction is applied only where the sheet prints exactly the wrong value; the command `data` lists those applied."""

from dataclasses import dataclass

from .samples import Collector, Correction
from .sheets import SheetRow, as_int, as_text


@dataclass(frozen=True)
class Erratum:
    """A wrong cell; `right` is the value that it should have, None the midpoint of onset and offset."""

    sample: str
    column: str
    printed: str
    right: int | None
    why: str


_FULL_LIST = "the full list of the same release has {}"
ERRATA = (
    Erratum("CASME2/sub04/EP12_01f", "Apex", "/", None, "the release prints no apex"),
    Erratum("SAMM/028/028_4_1", "Apex", "1143", None, "the release prints an apex after the offset"),
    Erratum("SAMM/032/032_3_1", "Apex", "1930", None, "the release prints an apex before the onset"),
    Erratum("CASME3/spNO.216/d/3647", "Onset", "3647", 2647, _FULL_LIST.format(2647)),
    Erratum("CASME3/spNO.40/e/1812", "Offset", "0", 1845, _FULL_LIST.format(1845)),
    Erratum("CASME3/spNO.40/e/2327", "Offset", "0", 2403, _FULL_LIST.format(2403)),
    Erratum("CASME3/spNO.149/d/112", "Apex", "83", 160, _FULL_LIST.format(160)),
    Erratum("CASME3/spNO.214/c/5", "Offset", "3460", 34, "the clip would last 115 s; public code reads 34"),
)


def apply_errata(row: SheetRow, sample: str, out: Collector) -> None:
    """Corrects in a row what is known to be wrong with a sample, and lists the correction."""
    for erratum in ERRATA:
        if erratum.sample == sample and as_text(row.cells[erratum.column]) == erratum.printed:
            right, how = erratum.right, ""
            if right is None:
                onset, offset = as_int(row.cells["Onset"]), as_int(row.cells["Offset"])
                if onset is None or offset is None:
                    continue
                right, how = (onset + offset) // 2, "; taken as the midpoint of onset and offset"
            row.cells[erratum.column] = right
            correction = Correction(sample, erratum.column.lower(), f"{erratum.printed} → {right}", erratum.why + how)
            out.corrections.append(correction)
