"""SMIC (2013): its three cameras HS, VIS and NIR; labels are folders, no apex is given."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from .folders import CorpusFolder, Root, Tree, list_frames, unpadded
from .micro import note_raw
from .samples import Collector, Reading
from .sheets import EXTENSIONS, read_sheet

NAME = "SMIC"
FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
EMOTIONS = ("negative", "positive", "surprise")
IMAGES = ("SMIC_all_cropped/{}", "cropped/{}", "SMIC_all_raw/{}", "{}")
APEXES = {"Filename": ("sample", "clip", "video", "name"), "Apex": ("ApexFrame",)}
EXTENDED = r"non_?micro|.*(SMIC|HS).?E\b.*|.*long.*"  # the extended release: longer clips without their label


class Apex(NamedTuple):
    """A clip's apex, and the list and row that give it."""

    frame: int
    where: str
    row: int


def read(root: Root, *, camera: str = "HS") -> Reading:
    """The micro-expressions of one camera under `root`: onset is the first frame, offset the last.

    The apex comes from a list of the user's: `*apex*.csv` (or .xlsx) in the corpus folder, columns Filename and Apex.
    The cameras share names of clips, but count frames on their own: a list is of HS, unless its name has VIS or NIR.
    Raises CorpusMissing, SheetError."""
    signs = ("SMIC_all_cropped", "SMIC_all_raw")
    corpus = CorpusFolder(root, NAME, signs=signs, data=r"s\d+", never=EXTENDED)
    tree = corpus.get(*(place.format(camera) for place in IMAGES), anywhere=False)
    out = Collector(corpus, camera)
    note_raw(corpus, tree.folder)
    apexes, clips = _apexes(corpus, camera, out), set()
    for subject, emotion, folder in _clips(tree, out):
        name, frames = os.path.basename(folder), list_frames(folder)
        sample, listed = f"{NAME}/{camera}/{name}", apexes.get(unpadded(name))
        clips.add(unpadded(name))
        if listed and len(frames) and listed.frame not in frames:
            what = f"apex {listed.frame} is none of the frames {frames.first}..{frames.last} of {frames.folder}: the "
            what += "list counts from elsewhere, as lists for the long recordings do"
            out.problem(listed.where, listed.row, what, "count as the clip's images do, or remove the row", sample)
            continue
        apex = listed.frame if listed else None
        out.add(sample, subject, emotion=emotion, apex=apex, fps=FPS[camera], frames=frames)
    reading = out.reading()
    if apexes:
        out.notes.append(f"apex list: {reading.samples['apex'].count()} of {len(reading.samples)} clips")
    if unused := [listed for clip, listed in apexes.items() if clip not in clips]:
        where, row = unused[0].where, unused[0].row
        out.notes.append(f"apex list: {len(unused)} rows name no clip here, the first of them row {row} of {where}")
    return reading


def _clips(tree: Tree, out: Collector) -> Iterator[tuple[str, str, str]]:
    """Subject, emotion and folder of each clip; a problem for each folder of another name."""
    for person in tree.listing().directories():
        number = re.fullmatch(r"s0*(\d+)", person.lower())
        others = [n for n in tree.listing(person).directories() if not re.fullmatch(EXTENDED, n, re.I)]
        if number and others and not os.path.isdir(tree.path(person, "micro")):
            what = f"no folder micro, but {', '.join(others[:3])}"
            out.problem(tree.path(person), None, what, f"name them {person}/micro/{EMOTIONS[0]} and so on")
        for emotion in tree.listing(person, "micro").directories():
            folder = tree.path(person, "micro", emotion)
            if not number or emotion.lower() not in EMOTIONS:
                what = f"no subject or no emotion of {NAME}"
                out.problem(folder, None, what, f"name it s1/micro/ and one of {', '.join(EMOTIONS)}")
                continue
            for name in tree.listing(person, "micro", emotion).directories():
                yield f"{NAME}/s{number[1]}", emotion.lower(), os.path.join(folder, name)


def _apexes(corpus: CorpusFolder, camera: str, out: Collector) -> dict[str, Apex]:
    """clip → its apex from a camera's lists in the corpus's folder, whatever the padding of a clip's name.

    Beside that folder, where other corpora lie, the name of a list has SMIC in it."""
    apexes: dict[str, Apex] = {}
    for path in corpus.files(*EXTENSIONS):
        name = os.path.basename(path).upper()
        cameras = [other for other in ("VIS", "NIR") if other in name] or ["HS"]
        if (
            "APEX" not in name
            or cameras[0] != camera
            or ("SMIC" not in name and os.path.dirname(path) == corpus.beside)
        ):
            continue
        sheet = read_sheet(path, APEXES)
        for row in sheet.rows:
            clip, apex = row.text("Filename"), row.whole("Apex", "a frame number")
            known = apexes.setdefault(unpadded(os.path.basename(clip)), Apex(apex, path, row.number))
            if known.frame != apex:
                what = f"apex {apex} here, {known.frame} in {known.where}, row {known.row}"
                row.faults.append((what, "keep one of the two"))
            out.faulty(row, path, f"{NAME}/{clip}")
    return apexes
