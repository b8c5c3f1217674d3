"""EmotioNet: images with action units coded by hand, present, absent or not scored; the rest unlabelled."""

from __future__ import annotations

import os
import re

from .folders import IMAGES, Corpus
from .samples import Collector, Frames, Reading, loader
from .sheets import Sheet, annotated, as_int, as_text, find_sheets

NAME = "EmotioNet"
NAMES = (NAME,)
UNITS = range(1, 61)
COLUMNS = {"URL": ()} | {f"AU {unit}": () for unit in UNITS}
NOT_SCORED = 999


def read(root: str | os.PathLike) -> Reading:
    """Every image under `root`; `au_codes` are `unit=1` and `unit=0` of the units scored, empty for unlabelled images.

    Rows without an image are counted in the notes. Nobody's identity is known: an image is its own subject.
    Raises CorpusMissing, SheetError."""
    corpus = Corpus(root, NAMES, signs=(r"EmotioNet_FACS.*", r"N_\d{10}"), data=r"N_\d{10}")
    optional = tuple(f"AU {unit}" for unit in UNITS)
    sheets = find_sheets(corpus, COLUMNS, like="emotionet_facs", optional=optional)
    out, sheet = annotated(corpus, sheets, ("2020",), lambda sheet: "2020")
    labels = _labels(sheet, out)
    flat = {"holds": r"N_\d{10}_\d+", "flat": True, "anywhere": False}
    images = corpus.listing(corpus.find(".", "images") or corpus.get("images", **flat))
    for group in [g for g in images.directories() if corpus.data.fullmatch(g)] or ["."]:
        folder = os.path.normpath(os.path.join(images.folder, group))
        for name in sorted(os.listdir(folder)):
            if name.lower().endswith(IMAGES) and not name.startswith("."):
                stem = name.rpartition(".")[0]
                codes, units, row, where = labels.pop(stem, ("", (), None, folder))
                sample = f"{NAME}/{stem}"
                out.add(
                    sample,
                    sample,
                    aus=units,
                    au_codes=codes,
                    onset=0,
                    apex=0,
                    offset=0,
                    fps=float("nan"),
                    frames=Frames(folder, (name,), (0,)),
                    where=where,
                    row=row,
                )
    if labels:
        out.notes.append(f"{len(labels)} rows of the sheet have no image on disk, left out")
    return out.reading()


def scored(codes: str) -> dict[int, int]:
    """unit → 1 or 0 from `au_codes`."""
    return {int(unit): int(value) for unit, _, value in (code.partition("=") for code in codes.split())}


def _labels(sheet: Sheet, out: Collector) -> dict[str, tuple[str, tuple[int, ...], int, str]]:
    """image → (codes, units present, row, sheet)."""
    units = [unit for unit in UNITS if f"AU {unit}" in sheet.columns]
    labels: dict[str, tuple[str, tuple[int, ...], int, str]] = {}
    for row in sheet.rows:
        url = re.split(r"[/\\]", as_text(row.cells["URL"]).strip("'\" "))[-1]
        stem = url.rpartition(".")[0] or url
        values = {unit: as_int(row.cells[f"AU {unit}"]) for unit in units}
        for unit, value in values.items():
            if value not in (0, 1, NOT_SCORED):
                row.fault(f"AU {unit}", "1, 0 or 999")
        if not stem:
            row.fault("URL", "the image's address")
        if stem in labels:
            row.faults.append((f"{stem} is there already (row {labels[stem][2]})", "leave one of the two in"))
        if not out.faulty(row, sheet.path, f"{NAME}/{stem}"):
            known = {unit: value for unit, value in values.items() if value != NOT_SCORED}
            codes = " ".join(f"{unit}={value}" for unit, value in known.items())
            labels[stem] = (codes, tuple(unit for unit, value in known.items() if value), row.number, sheet.path)
    return labels


load = loader(read)
