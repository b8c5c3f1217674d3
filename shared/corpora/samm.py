"""SAMM (2016, 2018): both forms of its sheet, with note rows above the header or without."""

from __future__ import annotations

import os

from . import aus
from .folders import Listing, descend, find_corpus, frames
from .sheets import find_sheets
from .table import Collector, CorpusMissing, Reading, loader

NAME = "SAMM"
FPS = 200.0
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "other")
COLUMNS = {
    "Subject": (),
    "Filename": (),
    "Onset Frame": ("Onset",),
    "Apex Frame": ("Apex",),
    "Offset Frame": ("Offset",),
    "Action Units": ("Action Unit", "AUs", "AU"),
    "Estimated Emotion": ("Emotion",),
}

# (sample, apex as printed) → why; the apex becomes the midpoint of onset and offset.
WRONG_APEX = {
    ("SAMM/028/028_4_1", 1143): "the release prints an apex after the offset; taken as the midpoint",
    ("SAMM/032/032_3_1", 1930): "the release prints an apex before the onset; taken as the midpoint",
}


def read(root: str | os.PathLike) -> Reading:
    """SAMM under `root`. Raises CorpusMissing, SheetError."""
    root = find_corpus(root, (NAME,), (r"SAMM.*\.(xlsx?|csv)",))
    sheet = find_sheets(root, COLUMNS, like=r"samm.*(micro|code)|samm_20\d{6}")[0]
    edition = "header in row 1" if sheet.header_row == 1 else f"notes above the header in row {sheet.header_row}"
    out = Collector(NAME, root, edition)
    images, clips = Listing(descend(root, NAME) or root), {}
    if not any(name.isdigit() for name in images.directories()):
        raise CorpusMissing(f"{images.folder} holds no subject's folder (006, …); copy them from the release")
    for row in sheet.rows:
        name = row.text("Filename", "a clip's name")
        subject = f"{row.subject('Subject', name):03d}"
        sample = f"{NAME}/{subject}/{name}"
        onset, apex, offset = (row.frame(column) for column in ("Onset Frame", "Apex Frame", "Offset Frame"))
        emotion = row.word("Estimated Emotion", EMOTIONS)
        codes, coding = aus.read_cell(row, "Action Units", sheet.path, out)
        if out.faulty(row, sheet.path, sample):
            continue
        why = WRONG_APEX.get((sample, apex))
        if why:
            out.correct(sample, "apex", f"{apex} → {(onset + offset) // 2}", why)
            apex = (onset + offset) // 2
        if subject not in clips:
            clips[subject] = images.below(subject)
        out.add(
            sample, f"{NAME}/{subject}", emotion=emotion, aus=coding.aus(), au_codes=codes, onset=onset, apex=apex,
            offset=offset, fps=FPS, frames=frames(clips[subject].path(name)), where=sheet.path, row=row.number,
        )
    return out.reading()


load = loader(read)
