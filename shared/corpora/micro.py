"""The readers of micro-expression corpora in common: sheets with a coded clip a row, images by subject and clip.

ERRATA are the known defects of the released sheets. One is corrected only where the sheet prints exactly the wrong
value; the command `data` lists those corrected.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import aus
from .folders import CorpusFolder, list_frames
from .samples import Collector, Correction, Frames, Reading
from .sheets import Sheet, SheetRow, as_int, as_text

# The name used here → other headers in use.
COLUMNS: dict[str, tuple[str, ...]] = {
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


@dataclass(frozen=True)
class Erratum:
    """A wrong cell, and why it is; `right` is the value that it should have, None the midpoint of onset and offset."""

    sample: str
    column: str
    printed: str
    right: int | None
    why: str


_FULL_LIST = "the full list of the same release has {}"
ERRATA = (
    Erratum("CASME2/sub04/EP12_01f", "Apex", "/", None, "the release prints no apex"),
    Erratum("SAMM/032/032_3_1", "Apex", "1930", None, "the release prints an apex before the onset"),
    Erratum("CASME3/spNO.216/d/3647", "Onset", "3647", 2647, _FULL_LIST.format(2647)),
    Erratum("CASME3/spNO.40/e/1812", "Offset", "0", 1845, _FULL_LIST.format(1845)),
    Erratum("CASME3/spNO.40/e/2327", "Offset", "0", 2403, _FULL_LIST.format(2403)),
    Erratum("CASME3/spNO.149/d/112", "Apex", "83", 160, _FULL_LIST.format(160)),
    Erratum("CASME3/spNO.214/c/5", "Offset", "3460", 34, "the clip would last 115 s; public code reads 34"),
)


@dataclass
class Clip:
    """A row as read: emotion in lower case, subject as the corpus spells it."""

    sample: str
    subject: str
    name: str
    printed: int | None  # the onset in the sheet
    onset: int
    apex: int
    offset: int
    emotion: str


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


def note_raw(corpus: CorpusFolder, folder: str) -> None:
    """Notes images that are raw frames instead of released crops, by the name of their folder."""
    if "raw" in os.path.relpath(folder, corpus.root).lower():
        corpus.notes.append(f"no released crops: raw frames of {folder}")


def clips_by_subject(corpus: CorpusFolder, *places: str) -> Callable[[Clip], Frames]:
    """The images of a clip in `sub01/CLIP` or `sub01_CLIP`, however the subject is spelled. Raises CorpusMissing."""
    tree = corpus.get(*places)
    note_raw(corpus, tree.folder)

    def images(clip: Clip) -> Frames:
        number = clip.subject.lstrip("subSUB")
        spelled = clip.subject, number, f"s{number}", f"subject{number}", f"sub_{number}", f"sub-{number}"
        return list_frames(tree.clip(spelled, clip.name, alone=f"{clip.subject}_{clip.name}"))

    return images


def read_clips(
    sheet: Sheet,
    out: Collector,
    images: Callable[[Clip], Frames],
    *,
    emotions: Sequence[str],
    subject: str,
    fps: float,
    sample: str = "{subject}/{name}",
    prefixed: bool = False,
    nearest: int = 0,
) -> Reading:
    """Every row of a sheet, as a sample or as the problems that it has.

    `subject` and `sample` are formats; `{onset}` is the printed one. `prefixed`: a clip's name begins with its
    subject's number. `nearest`: how far away a frame may be that replaces one missing from the release. Known defects
    (ERRATA) and an apex after its offset are corrected and listed."""
    for row in sheet.rows:
        name = row.text("Filename", "a clip's name")
        person = subject.format(row.subject("Subject", name if prefixed else ""))
        printed = as_int(row.cells["Onset"])
        identity = f"{out.corpus}/" + sample.format(subject=person, name=name, onset=-1 if printed is None else printed)
        apply_errata(row, identity, out)
        onset, apex, offset = (row.whole(column, "a frame number") for column in ("Onset", "Apex", "Offset"))
        emotion = row.word("Emotion", emotions)
        codes, coding = aus.read_cell(row, "Action Units", sheet.path, out)
        if out.faulty(row, sheet.path, identity):
            continue
        clip = Clip(identity, person, name, printed, onset, apex, offset, emotion)
        frames = images(clip)
        _order(clip, frames, out)
        _replace_missing(clip, frames, nearest, out)
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
            frames=frames,
            where=sheet.path,
            row=row.number,
        )
    return out.reading()


def _change(clip: Clip, out: Collector, why: str, **frames: int) -> None:
    for column, number in frames.items():
        out.corrections.append(Correction(clip.sample, column, f"{getattr(clip, column)} → {number}", why))
        setattr(clip, column, number)


def _order(clip: Clip, frames: Frames, out: Collector) -> None:
    """Corrects an apex after its offset: the two are swapped or, where one has no frame, it becomes the midpoint."""
    if clip.onset <= clip.offset < clip.apex:
        why = "the apex lies after the offset; "
        if clip.apex in frames and clip.offset in frames:
            _change(clip, out, why + "the two are taken to be swapped", apex=clip.offset, offset=clip.apex)
        else:
            why += "there is no such frame; taken as the midpoint of onset and offset"
            _change(clip, out, why, apex=(clip.onset + clip.offset) // 2)


def _replace_missing(clip: Clip, frames: Frames, within: int, out: Collector) -> None:
    """Replaces a frame that is missing from the release by the nearest one."""
    for column in ("onset", "apex", "offset") if within and len(frames) else ():
        number = getattr(clip, column)
        if number not in frames and (near := frames.nearest(number, within)) is not None:
            why = f"frame {number} is missing from the release; the nearest one, at most {within} away"
            _change(clip, out, why, **{column: near})
