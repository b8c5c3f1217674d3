"""The sample table that every corpus is read into, one row a clip or image; its frames; what was odd in a release.

A reader gathers its rows with a `Collector`: each becomes a sample, or the problems that keep it out.
"""

import bisect
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import UserError
from .sheets import SheetRow

if TYPE_CHECKING:
    from .folders import CorpusFolder

# Column of the sample table → its pandas type. A missing value is None, or pd.NA among the frame numbers.
COLUMNS = {
    "sample": "object",  # unique: the corpus, then what names the clip in its release, joined by "/"
    "corpus": "object",
    "subject": "object",  # the corpus and the person; the sample itself where nobody's identity is known
    "emotion": "object",  # the corpus's own word in lower case
    "aus": "object",  # action units, a sorted tuple of numbers
    "au_codes": "object",  # the same as printed in the release
    "onset": "Int64",
    "apex": "Int64",
    "offset": "Int64",
    "fps": "float64",
    "frames": "object",  # Frames or Video
    "edition": "object",
    "split": "object",  # the part of the corpus's own split
}


class FrameMissing(UserError):
    """A frame number that is not in a folder."""


class CorpusMissing(UserError, FileNotFoundError):
    """The corpus is not on this disk; the message names the folders looked for."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A folder of numbered images: ascending `numbers` and, for each, a file of `names`.

    `box`: where the face is, if the images show more (left, top, right, bottom in pixels). `twice`: pairs of images
    that have the same number."""

    folder: str
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    box: tuple[int, int, int, int] | None = None
    twice: tuple[str, ...] = ()

    @property
    def first(self) -> int | None:
        """The first frame number, None in an empty folder."""
        return self.numbers[0] if self.numbers else None

    @property
    def last(self) -> int | None:
        """The last frame number, None in an empty folder."""
        return self.numbers[-1] if self.numbers else None

    def path(self, number: int) -> str:
        """The image file of a frame number. Raises FrameMissing."""
        if number not in self:
            held = f"{self.first}..{self.last}" if self.numbers else "none"
            raise FrameMissing(f"{self.folder}: no frame {number} (frames on disk: {held})")
        return os.path.join(self.folder, self.names[bisect.bisect_left(self.numbers, number)])

    def nearest(self, number: int, within: int) -> int | None:
        """The frame number nearest to this one and at most `within` away, the earlier of two; None if there is none."""
        place = bisect.bisect_left(self.numbers, number)
        near = [n for n in self.numbers[max(place - 1, 0) : place + 1] if abs(n - number) <= within]
        return min(near, key=lambda n: abs(n - number), default=None)

    def __contains__(self, number: int) -> bool:
        place = bisect.bisect_left(self.numbers, number)
        return place < len(self.numbers) and self.numbers[place] == number

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Video:
    """A video file; its frames count from 0, their number is known once it is decoded."""

    path: str


@dataclass(frozen=True)
class Problem:
    """A reason that keeps a row (or a clip) out of the sample table, and what to do about it."""

    where: str
    row: int | None
    what: str
    remedy: str
    sample: str | None = None
    others: tuple[str, ...] = ()  # samples that it keeps out beside that one

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "Problem":
        """A problem that was written as JSON."""
        return cls(**{**written, "others": tuple(written.get("others", ()))})

    def __str__(self) -> str:
        row = f", row {self.row}" if self.row is not None else ""
        sample = f" ({self.sample})" if self.sample else ""
        return f"{self.where}{row}{sample}: {self.what}; {self.remedy}"


@dataclass(frozen=True)
class Correction:
    """A known defect of a release that was corrected."""

    sample: str
    column: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.sample}, {self.column}: {self.what} ({self.why})"


@dataclass
class Reading:
    """A corpus as found: its usable samples and all that was odd about it; `editions` are those found on disk."""

    corpus: str
    root: str
    edition: str
    samples: pd.DataFrame
    corrections: list[Correction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    editions: tuple[str, ...] = ()


def sample_table(rows: Iterable[tuple]) -> pd.DataFrame:
    """The sample table of these rows, each in the order of COLUMNS, sorted by sample."""
    rows = sorted(rows, key=lambda row: row[0])
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype(COLUMNS)


def aligned(samples: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """The rows of a sample table with these ids, in the order of the ids, counted from 0.

    Raises ValueError for an id that is not in the table."""
    places = pd.Index(samples["sample"]).get_indexer(list(ids))
    if (places < 0).any():
        unknown = [i for i, place in zip(ids, places, strict=True) if place < 0]
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ValueError(f"sample {unknown[0]}{more} of {len(ids)} is not among the {len(samples)} of the sample table")
    return samples.iloc[places].reset_index(drop=True)


class Collector:
    """The rows of one corpus so far; `notes` are shared with the corpus's folder."""

    def __init__(self, corpus: "CorpusFolder", edition: str = "", editions: Sequence[str] = ()) -> None:
        self.corpus, self.root, self.notes = corpus.corpus, corpus.root, corpus.notes
        self.edition, self.editions = edition, tuple(editions) or (edition,)
        self.rows: list[tuple] = []
        self.sources: dict[str, str] = {}
        self.spans: dict[tuple, str] = {}  # the images and key frames of a sample
        self.corrections: list[Correction] = []
        self.problems: list[Problem] = []
        self.gaps: list[str] = []  # of each sample with frames missing between onset and offset, how many

    def problem(self, where: str, row: int | None, what: str, remedy: str, sample: str | None = None) -> None:
        """Adds a problem."""
        self.problems.append(Problem(where, row, what, remedy, sample))

    def faulty(self, row: SheetRow, where: str, sample: str) -> bool:
        """Whether a sheet's row has faults, which are added to the problems."""
        for what, remedy in row.faults:
            self.problem(where, row.number, what, remedy, sample)
        return bool(row.faults)

    def emotion(self, name: str, known: Sequence[str], folder: str) -> str | None:
        """The emotion that a folder is named after, in lower case; None and a problem when it is none of the known."""
        if name.lower() in known:
            return name.lower()
        self.problem(folder, None, f"no emotion of {self.corpus}", f"name it one of {', '.join(known)}")
        return None

    def add(
        self,
        sample: str,
        subject: str | None = None,
        *,
        frames: Frames | Video,
        emotion: str | None = None,
        aus: Iterable[int] = (),
        au_codes: str = "",
        onset: int | None = None,
        apex: int | None = None,
        offset: int | None = None,
        fps: float = float("nan"),
        split: str | None = None,
        where: str = "",
        row: int | None = None,
    ) -> None:
        """Adds a row to the table or, where its key frames are out of order or missing on disk, to the problems.

        Without a `subject` nobody's identity is known: the sample is its own subject. `onset` and `offset` are by
        default the first and the last frame. `where` and `row` are its source, by default its frames."""
        if isinstance(frames, Frames):
            source, first, last = frames.folder, frames.first, frames.last
        else:
            source, first, last = frames.path, 0, None
        where = where or source
        onset = first if onset is None else onset
        offset = last if offset is None else offset
        faults = []
        if sample in self.sources:
            faults.append((f"{sample} is there already ({self.sources[sample]})", "keep one of the two"))
        faults += out_of_order(onset, apex, offset)
        if isinstance(frames, Frames):
            other = self.spans.setdefault((frames.folder, frames.names[:1], onset, offset), sample)
            if other != sample and len(frames):
                what = f"the images {onset}..{offset} of {frames.folder} are those of {other}"
                faults.append((what, "correct one of the two rows"))
            faults += _missing(frames, {"onset": onset, "apex": apex, "offset": offset})
        for what, remedy in faults:
            self.problem(where, row, what, remedy, sample)
        if not faults:
            labels = (sample, self.corpus, subject or sample, emotion, tuple(aus), au_codes)
            self.rows.append((*labels, onset, apex, offset, fps, frames, self.edition, split))
            if isinstance(frames, Frames) and (gap := _gap(frames, onset, offset)):
                self.gaps.append(f"{sample}: {gap}")
        self.sources.setdefault(sample, where if row is None else f"{where}, row {row}")

    def reading(self) -> Reading:
        """The rows gathered. Raises CorpusMissing where there is none, and no problem either."""
        if not self.rows and not self.problems:
            raise CorpusMissing(f"{self.root}: the folders are there, but no clip in them; copy them from the release")
        if self.gaps:
            clips = f"{len(self.gaps)} clip{'s' * (len(self.gaps) > 1)}"
            self.notes.append(f"{clips} with gaps between onset and offset, such as {self.gaps[0]}")
        table = sample_table(self.rows)
        return Reading(
            self.corpus, self.root, self.edition, table, self.corrections, self.problems, self.notes, self.editions
        )


def out_of_order(onset: int | None, apex: int | None, offset: int | None) -> list[tuple[str, str]]:
    """Each fault of the order of key frames, and its remedy."""
    frames = (("onset", onset), ("apex", apex), ("offset", offset))
    given = [(name, number) for name, number in frames if number is not None]
    return [
        (f"{name} {number} lies after {later} {other}", "correct the sheet")
        for (name, number), (later, other) in itertools.pairwise(given)
        if number > other
    ]


def _gap(frames: Frames, onset: int | None, offset: int | None) -> str:
    """How many frames are missing between onset and offset, "" where all are evenly spaced, by 1 or more."""
    numbers = frames.numbers
    held = numbers[bisect.bisect_left(numbers, onset or 0) : bisect.bisect_right(numbers, offset or 0)]
    steps = [b - a for a, b in itertools.pairwise(held)]
    usual = min(steps, default=1)
    holes = [i for i, step in enumerate(steps) if step >= 2 * usual]
    if not holes:
        return ""
    missing = sum(steps[i] // usual - 1 for i in holes)
    return f"{missing} frame{'s' * (missing > 1)} missing between {held[holes[0]]} and {held[holes[-1] + 1]}"


def _missing(frames: Frames, wanted: dict[str, int | None]) -> list[tuple[str, str]]:
    if not frames.names:
        return [(f"no image in {frames.folder}", "restore the folder from the release")]
    if frames.twice:
        more = f" and {len(frames.twice) - 1} more" if len(frames.twice) > 1 else ""
        what = f"two images of one frame number in {frames.folder}: {frames.twice[0]}{more}"
        return [(what, "keep one of each")]
    held = f"on disk: {frames.first}..{frames.last}, {len(frames)} images"
    return [
        (f"{name} frame {number} is not in {frames.folder} ({held})", "restore the image from the release")
        for name, number in wanted.items()
        if number is not None and number not in frames
    ]
