"""What the sheets of the micro-expression corpora have in common: a coded clip a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import aus
from .sheets import Sheet, as_text
from .table import Collector, Frames

# The name used here → the headers met.
COLUMNS = {
    "Subject": (),
    "Filename": (),
    "Onset": ("OnsetFrame", "OnsetF"),
    "Apex": ("ApexFrame", "ApexF1", "ApexF"),
    "Offset": ("OffsetFrame", "OffsetF"),
    "Action Units": ("Action Unit", "AUs", "AU"),
    "Emotion": ("Estimated Emotion",),
}


@dataclass
class Clip:
    """A row as read: frames as printed, emotion in lower case, subject as the corpus spells it."""

    row: int
    sample: str
    subject: str
    name: str
    onset: int
    apex: int
    offset: int
    emotion: str
    au_codes: str
    aus: tuple[int, ...]


def collect(
    sheet: Sheet, out: Collector, *, emotions: Sequence[str], subject: str, fps: float,
    images: Callable[[Clip], Frames],
    sample: str = "{subject}/{name}", prefixed: bool = False, wrong_apex: Mapping[str, tuple[str, str]] = {},
    correct: Callable[[Clip, Frames], None] = lambda clip, frames: None,
) -> None:
    """Takes every row of a sheet into `out`: as a sample, or as the problems that it has.

    `subject` and `sample` are formats. `prefixed`: a clip's name begins with its subject's number. `wrong_apex`: sample
    → (apex as printed, why); it becomes the midpoint of onset and offset. `correct` may change a clip before its
    frames are checked."""
    for row in sheet.rows:
        name = row.text("Filename", "a clip's name")
        person = subject.format(row.subject("Subject", name if prefixed else ""))
        onset, offset = row.frame("Onset"), row.frame("Offset")
        identity = f"{out.corpus}/" + sample.format(subject=person, name=name, onset=onset)
        printed, why = wrong_apex.get(identity, ("", ""))
        if printed and as_text(row.cells["Apex"]) == printed and not row.faults:
            row.cells["Apex"] = (onset + offset) // 2
            out.correct(identity, "apex", f"{printed} → {row.cells['Apex']}", why)
        apex, emotion = row.frame("Apex"), row.word("Emotion", emotions)
        codes, coding = aus.read_cell(row, "Action Units", sheet.path, out)
        if out.faulty(row, sheet.path, identity):
            continue
        clip = Clip(row.number, identity, person, name, onset, apex, offset, emotion, codes, coding.aus())
        frames = images(clip)
        correct(clip, frames)
        out.add(
            clip.sample, f"{out.corpus}/{person}", emotion=emotion, aus=clip.aus, au_codes=codes, onset=clip.onset,
            apex=clip.apex, offset=clip.offset, fps=fps, frames=frames, where=sheet.path, row=row.number,
        )
