"""EmotioNet: images with action units coded by hand, present, absent or not scored; the rest unlabelled."""

import os
import re
from typing import NamedTuple

from .annotations import annotated
from .folders import IMAGES, CorpusFolder, Root
from .samples import Collector, Frames, Reading
from .sheets import Sheet, SheetError, as_int, as_text

NAME = "EmotioNet"
UNITS = tuple(f"AU {unit}" for unit in range(1, 61))  # columns of the sheet
COLUMNS: dict[str, tuple[str, ...]] = {"URL": ()} | {name: (f"AU {int(name[3:]):02}",) for name in UNITS}
NOT_SCORED = 999


class Label(NamedTuple):
    """The action units present in an image, all that are scored, and the sheet and row that give them."""

    aus: tuple[int, ...]
    au_codes: str
    where: str
    row: int | None


def read(root: Root) -> Reading:
    """Every image under `root`; `au_codes` are `unit=1` and `unit=0` of the units scored, empty for unlabelled images.

    Rows without an image are counted in the notes. Nobody's identity is known: an image is its own subject. Raises
    CorpusMissing, SheetError."""
    corpus = CorpusFolder(root, NAME, signs=(r"EmotioNet_FACS.*", r"N_\d{10}"), data=r"N_\d{10}")
    out, sheet = annotated(corpus, COLUMNS, ("2020",), like="emotionet_facs", optional=UNITS)
    if not (columns := [name for name in UNITS if name in sheet.columns]):
        raise SheetError(f"{sheet.path}, row {sheet.header_row}: no column of a unit; name them AU 1, AU 2 and so on")
    if missing := len(UNITS) - len(columns):
        out.notes.append(f"{missing} units have no column in {sheet.path}, which has {', '.join(columns)}")
    labels = _labels(sheet, out)
    tree = corpus.find(".", "images") or corpus.get("images", holds=r"N_\d{10}_\d+", flat=True, anywhere=False)
    for group in [name for name in tree.listing().directories() if corpus.data.fullmatch(name)] or ["."]:
        folder = os.path.normpath(os.path.join(tree.folder, group))
        for name in sorted(os.listdir(folder)):
            if name.lower().endswith(IMAGES) and not name.startswith("."):
                stem = name.rpartition(".")[0]
                label = labels.pop(stem, Label((), "", folder, None))
                frames = Frames(folder, (name,), (0,))
                out.add(f"{NAME}/{stem}", apex=0, frames=frames, **label._asdict())
    if labels:
        out.notes.append(f"{len(labels)} rows of the sheet have no image on disk, left out")
    return out.reading()


def scored(codes: str) -> dict[int, int]:
    """unit → 1 or 0 from `au_codes`."""
    return {int(unit): int(value) for unit, _, value in (code.partition("=") for code in codes.split())}


def _labels(sheet: Sheet, out: Collector) -> dict[str, Label]:
    """The label of each image by the image's name."""
    columns = {int(column[3:]): column for column in UNITS if column in sheet.columns}
    labels: dict[str, Label] = {}
    for row in sheet.rows:
        url = re.split(r"[/\\]", as_text(row.cells["URL"]).strip("'\" "))[-1]
        stem = url.rpartition(".")[0] or url
        values = {unit: as_int(row.cells[column]) for unit, column in columns.items()}
        for unit, value in values.items():
            if value not in (0, 1, NOT_SCORED):
                row.fault(columns[unit], "1, 0 or 999")
        if not stem:
            row.fault("URL", "the image's address")
        if stem in labels:
            row.faults.append((f"{stem} is there already (row {labels[stem].row})", "keep one of the two"))
        if not out.faulty(row, sheet.path, f"{NAME}/{stem}"):
            known = {unit: value for unit, value in values.items() if value != NOT_SCORED}
            codes = " ".join(f"{unit}={value}" for unit, value in known.items())
            labels[stem] = Label(tuple(unit for unit, value in known.items() if value), codes, sheet.path, row.number)
    return labels
