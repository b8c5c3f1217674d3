"""SMIC (2013): its three cameras HS, VIS and NIR; labels are folders, no apex is given."""

from __future__ import annotations

import os
import re

from .folders import Listing, Tree, find_corpus, frames, inside, key
from .sheets import read_sheet
from .table import Collector, Reading, loader

NAME = "SMIC"
FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
EMOTIONS = ("negative", "positive", "surprise")
APEXES = {"Filename": ("sample", "clip", "video", "name"), "Apex": ("ApexFrame",)}


def read(root: str | os.PathLike, *, camera: str = "HS") -> Reading:
    """The micro-expressions of one camera under `root`: onset is the first frame, offset the last.

    The apex comes from a list of the user's: `*apex*.csv` (or .xlsx) in the corpus folder, columns Filename and Apex.
    Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME,), ("SMIC_all_cropped", "SMIC_all_raw"))
    tree = Tree(inside(root, f"SMIC_all_cropped/{camera}", f"SMIC_all_raw/{camera}"))
    out = Collector(NAME, root, camera)
    if "SMIC_all_raw" in tree.folder:
        out.notes.append(f"no released crops: raw frames of {tree.folder}")
    apexes = _apexes(root, out)
    for person in tree.listing().directories():
        number = re.fullmatch(r"s0*(\d+)", person.lower())
        for emotion in tree.listing(person, "micro").directories():
            folder = tree.path(person, "micro", emotion)
            if not number or emotion.lower() not in EMOTIONS:
                what = f"no subject or no emotion of {NAME}"
                out.problem(folder, None, what, f"name it s1/micro/ and one of {', '.join(EMOTIONS)}")
                continue
            for name in tree.listing(person, "micro", emotion).directories():
                held = frames(os.path.join(folder, name))
                first, last = (held.numbers[0], held.numbers[-1]) if len(held) else (None, None)
                out.add(
                    f"{NAME}/{camera}/{name}", f"{NAME}/s{number[1]}", emotion=emotion.lower(), onset=first,
                    apex=apexes.get(key(name)), offset=last, fps=FPS[camera], frames=held, where=held.folder,
                )
    if apexes:
        known = sum(row[7] is not None for row in out.rows)
        out.notes.append(f"apex list: {known} of {len(out.rows)} clips")
    return out.reading()


def _apexes(root: str, out: Collector) -> dict[str, int]:
    """clip → apex from the lists beside the corpus; clips are matched whatever their padding."""
    listing, apexes = Listing(root), {}
    for name in listing.files(".csv", ".xlsx", ".xls"):
        if "apex" in name.lower():
            sheet = read_sheet(listing.path(name), APEXES)
            for row in sheet.rows:
                clip, apex = row.text("Filename"), row.frame("Apex")
                if not out.faulty(row, sheet.path, f"{NAME}/{clip}"):
                    apexes[key(os.path.basename(clip))] = apex
    return apexes


load = loader(read)
