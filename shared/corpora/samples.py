"""The sample table that every corpus is read into, one row a clip or image; its frames; what was odd in a release."""

import bisect
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ..errors import UserError

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


class FrameMissing(UserError, KeyError):
    """A frame number that is not in a folder."""

    def __str__(self) -> str:
        return str(self.args[0])


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
        place = bisect.bisect_left(self.numbers, number)
        if place == len(self.numbers) or self.numbers[place] != number:
            held = f"{self.first}..{self.last}" if self.numbers else "none"
            raise FrameMissing(f"{self.folder}: no frame {number} (frames on disk: {held})")
        return os.path.join(self.folder, self.names[place])

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

    @property
    def first(self) -> int:
        return 0

    @property
    def last(self) -> None:
        return None


@dataclass(frozen=True)
class Problem:
    """A reason that keeps a row (or a clip) out of the sample table, and what to do about it."""

    where: str
    row: int | None
    what: str
    remedy: str
    sample: str | None = None

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
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    typed = zip(COLUMNS.items(), columns, strict=True)
    return pd.DataFrame({name: pd.Series(list(values), dtype=kind) for (name, kind), values in typed})


def aligned(samples: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """The rows of a sample table with these ids, in the order of the ids, counted from 0.

    Raises ValueError for an id that is not in the table."""
    places = pd.Index(samples["sample"]).get_indexer(list(ids))
    if (places < 0).any():
        unknown = [i for i, place in zip(ids, places, strict=True) if place < 0]
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ValueError(f"sample {unknown[0]}{more} of {len(ids)} is not among the {len(samples)} of the sample table")
    return samples.iloc[places].reset_index(drop=True)
