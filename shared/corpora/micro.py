"""What the sheets of the micro-expression corpora have in common: a coded clip a row."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import aus
from .errata import mend
from .folders import Corpus
from .samples import Collector, Frames
from .sheets import Sheet, as_int

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


SUBJECTS = r"(sub(ject)?|s|p)?[ _-]?\d{1,3}(_EP.*)?"  # names of folders
NEVER = r".*(video|flow|feature).*"


def released(corpus: Corpus, *places: str) -> str:
    """The folder of a corpus's images; that they are no crops is noted."""
    folder = corpus.get(*places)
    if "raw" in os.path.relpath(folder, corpus.root).lower():
        corpus.notes.append(f"no released crops: raw frames of {folder}")
    return folder


def spelled(subject: str) -> tuple[str, ...]:
    """The names that the folder of `sub01` may have."""
    number = subject.lstrip("subSUB")
    return subject, number, f"s{number}", f"subject{number}", f"sub_{number}", f"sub-{number}"


@dataclass
class Clip:
    """A row as read: emotion in lower case, subject as the corpus spells it."""

    sample: str
    subject: str
    name: str
    printed: int  # the onset in the sheet
    onset: int
    apex: int
    offset: int
    emotion: str


def collect(
    sheet: Sheet,
    out: Collector,
    *,
    emotions: Sequence[str],
    subject: str,
    fps: float,
    images: Callable[[Clip], Frames],
    sample: str = "{subject}/{name}",
    prefixed: bool = False,
    nearest: int = 0,
) -> None:
    """Takes every row of a sheet into `out`: as a sample, or as the problems that it has.

    `subject` and `sample` are formats; `{onset}` is the printed one. `prefixed`: a clip's name begins with its
    subject's number. `nearest`: how far a frame may be that stands for one that the release lacks. What is known to be
    wrong (`errata`) and an apex after its offset are corrected and listed."""
    for row in sheet.rows:
        name = row.text("Filename", "a clip's name")
        person = subject.format(row.subject("Subject", name if prefixed else ""))
        printed = as_int(row.cells["Onset"])
        identity = f"{out.corpus}/" + sample.format(subject=person, name=name, onset=-1 if printed is None else printed)
        mend(row, identity, out)
        onset, apex, offset = (row.frame(column) for column in ("Onset", "Apex", "Offset"))
        emotion = row.word("Emotion", emotions)
        codes, coding = aus.read_cell(row, "Action Units", sheet.path, out)
        if out.faulty(row, sheet.path, identity):
            continue
        clip = Clip(identity, person, name, printed, onset, apex, offset, emotion)
        held = images(clip)
        _order(clip, held, out)
        _stand_in(clip, held, nearest, out)
        out.add(
            clip.sample,
            f"{out.corpus}/{person}",
            emotion=emotion,
            aus=coding.aus(),
            au_codes=codes,
            onset=clip.onset,
            apex=clip.apex,
            offset=clip.offset,
            fps=fps,
            frames=held,
            where=sheet.path,
            row=row.number,
        )


def _change(clip: Clip, out: Collector, why: str, **frames: int) -> None:
    for column, number in frames.items():
        out.correct(clip.sample, column, f"{getattr(clip, column)} → {number}", why)
        setattr(clip, column, number)


def _order(clip: Clip, held: Frames, out: Collector) -> None:
    """An apex after its offset: the two stand in each other's place or, where one is missing, it is the midpoint."""
    if clip.onset <= clip.offset < clip.apex:
        why = "the apex lies after the offset; "
        if clip.apex in held and clip.offset in held:
            why += "they are taken to stand in each other's place"
            _change(clip, out, why, apex=clip.offset, offset=clip.apex)
        else:
            why += "there is no such frame; taken as the midpoint of onset and offset"
            _change(clip, out, why, apex=(clip.onset + clip.offset) // 2)


def _stand_in(clip: Clip, held: Frames, within: int, out: Collector) -> None:
    """The nearest frame in the place of one that the release itself lacks."""
    for column in ("onset", "apex", "offset") if within and len(held) else ():
        number = getattr(clip, column)
        if number not in held and (near := held.nearest(number, within)) is not None:
            why = f"the release lacks frame {number}; the nearest one, at most {within} away"
            _change(clip, out, why, **{column: near})
