"""SMIC (2013): its three cameras HS, VIS and NIR; labels are folders, no apex is given."""

from __future__ import annotations

import os
import re

from .folders import Corpus, Tree, frames, key
from .samples import Collector, Reading, loader
from .sheets import EXTENSIONS, read_sheet

NAME = "SMIC"
NAMES = (NAME,)
FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
EMOTIONS = ("negative", "positive", "surprise")
IMAGES = ("SMIC_all_cropped/{}", "cropped/{}", "SMIC_all_raw/{}", "{}")
APEXES = {"Filename": ("sample", "clip", "video", "name"), "Apex": ("ApexFrame",)}


def read(root: str | os.PathLike, *, camera: str = "HS") -> Reading:
    """The micro-expressions of one camera under `root`: onset is the first frame, offset the last.

    The apex comes from a list of the user's: `*apex*.csv` (or .xlsx) in the corpus folder, columns Filename and Apex.
    Raises CorpusMissing, SheetError."""
    corpus = Corpus(
        root,
        NAMES,
        signs=("SMIC_all_cropped", "SMIC_all_raw"),
        data=r"s\d+",
        never=r"non_?micro|.*(SMIC|HS).?E\b.*|.*long.*",  # the extended release: longer clips without their label
    )
    places = [place.format(camera) for place in IMAGES]
    tree = Tree(corpus.get(*places, anywhere=False))
    out = Collector(NAME, corpus.root, camera, notes=corpus.notes)
    if "raw" in os.path.relpath(tree.folder, corpus.root).lower():
        out.notes.append(f"no released crops: raw frames of {tree.folder}")
    apexes = _apexes(corpus, out)
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
                sample = f"{NAME}/{camera}/{name}"
                apex, listed, row = apexes.get(key(name), (None, "", 0))
                if apex is not None and len(held) and apex not in held:
                    what = f"apex {apex} is none of the frames {first}..{last} of {held.folder}: the list counts from"
                    what += " elsewhere, as lists for the long recordings do"
                    out.problem(listed, row, what, "count as the clip's images do, or take the row out", sample)
                    continue
                out.add(
                    sample,
                    f"{NAME}/s{number[1]}",
                    emotion=emotion.lower(),
                    onset=first,
                    apex=apex,
                    offset=last,
                    fps=FPS[camera],
                    frames=held,
                    where=held.folder,
                )
    if apexes:
        known = sum(row[7] is not None for row in out.rows)
        out.notes.append(f"apex list: {known} of {len(out.rows)} clips")
    return out.reading()


def _apexes(corpus: Corpus, out: Collector) -> dict[str, tuple[int, str, int]]:
    """clip → (apex, list, row) from the lists in the corpus's folder; clips are matched whatever their padding."""
    apexes: dict[str, tuple[int, str, int]] = {}
    for path in [path for path in corpus.files(*EXTENSIONS) if "apex" in os.path.basename(path).lower()]:
        sheet = read_sheet(path, APEXES)
        for row in sheet.rows:
            clip, apex = row.text("Filename"), row.frame("Apex")
            known = apexes.setdefault(key(os.path.basename(clip)), (apex, path, row.number))
            if known[0] != apex:
                what = f"apex {apex} here, {known[0]} in {known[1]}, row {known[2]}"
                row.faults.append((what, "leave one of the two in"))
            out.faulty(row, path, f"{NAME}/{clip}")
    return apexes


load = loader(read)
