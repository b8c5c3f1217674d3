"""The table of samples that every corpus is read into: one row a clip."""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import UserError

if TYPE_CHECKING:
    from .sheets import Row

COLUMNS = (
    "sample",
    "corpus",
    "subject",
    "emotion",
    "aus",
    "au_codes",
    "onset",
    "apex",
    "offset",
    "fps",
    "frames",
    "edition",
    "split",
)


class FrameMissing(UserError, KeyError):
    """A frame number that a folder does not hold."""

    def __str__(self) -> str:
        return self.args[0]


class CorpusMissing(UserError, FileNotFoundError):
    """The corpus is not on this disk; the message names the folders looked for."""


class CorpusError(UserError, ValueError):
    """Rows that cannot be used, all in one message."""

    def __init__(self, reading: Reading):
        self.problems = list(reading.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"{reading.corpus}: {len(self.problems)} problem(s) in {reading.root}\n{lines}\n"
            f"{len(reading.samples)} usable samples remain; --skip-broken goes on with them"
        )


@dataclass(frozen=True, slots=True)
class Frames:
    """A folder of numbered images; `numbers` ascend and `names` stand beside them. `box`: where the face is, if the
    images show more (left, top, right, bottom in pixels). `twice`: pairs of images that have one number."""

    folder: str
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    box: tuple[int, int, int, int] | None = None
    twice: tuple[str, ...] = ()

    def path(self, number: int) -> str:
        """The image file of a frame number. Raises FrameMissing."""
        place = bisect.bisect_left(self.numbers, number)
        if place == len(self.numbers) or self.numbers[place] != number:
            held = f"{self.numbers[0]}..{self.numbers[-1]}" if self.numbers else "none"
            raise FrameMissing(f"{self.folder}: no frame {number} (frames on disk: {held})")
        return os.path.join(self.folder, self.names[place])

    def nearest(self, number: int, within: int) -> int | None:
        """The number of the frame nearest to this one, at most `within` away; of two the earlier."""
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
    """A video file; its frames count from 0."""

    path: str


@dataclass(frozen=True)
class Problem:
    """What keeps a row (or a clip) out of the table, and what to do about it."""

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
    """A known defect of a release that was put right."""

    sample: str
    column: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.sample}, {self.column}: {self.what} ({self.why})"


@dataclass
class Reading:
    """A corpus as found: its usable samples, and all that was odd about it. `editions`: all that lie there."""

    corpus: str
    root: str
    edition: str
    samples: pd.DataFrame
    corrections: list[Correction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    editions: tuple[str, ...] = ()


class Collector:
    """Gathers the rows of one corpus into a Reading."""

    def __init__(
        self, corpus: str, root: str, edition: str = "", editions: Iterable[str] = (), notes: list[str] | None = None
    ):
        self.corpus, self.root, self.edition, self.editions = corpus, root, edition, tuple(editions) or (edition,)
        self.rows: list[tuple] = []
        self.where: dict[str, str] = {}
        self.corrections: list[Correction] = []
        self.problems: list[Problem] = []
        self.notes: list[str] = [] if notes is None else notes

    def problem(self, where: str, row: int | None, what: str, remedy: str, sample: str | None = None) -> None:
        self.problems.append(Problem(where, row, what, remedy, sample))

    def faulty(self, row: Row, where: str, sample: str) -> bool:
        """Whether a sheet's row has faults; takes them into the problems."""
        for what, remedy in row.faults:
            self.problem(where, row.number, what, remedy, sample)
        return bool(row.faults)

    def correct(self, sample: str, column: str, what: str, why: str) -> None:
        self.corrections.append(Correction(sample, column, what, why))

    def add(
        self,
        sample: str,
        subject: str,
        *,
        frames: Frames | Video,
        emotion: str | None = None,
        aus: Iterable[int] = (),
        au_codes: str = "",
        onset: int | None = None,
        apex: int | None = None,
        offset: int | None = None,
        fps: float,
        split: str | None = None,
        where: str = "",
        row: int | None = None,
    ) -> None:
        """Takes a row into the table, or its defects into the problems: order of the three frames, frames on disk."""
        source = f"{where}, row {row}" if row is not None else where
        faults = []
        if sample in self.where:
            faults.append((f"{sample} is there already ({self.where[sample]})", "leave one of the two in"))
        faults += _order(onset, apex, offset)
        if isinstance(frames, Frames):
            faults += _missing(frames, {"onset": onset, "apex": apex, "offset": offset})
        for what, remedy in faults:
            self.problem(where, row, what, remedy, sample)
        if not faults:
            self.rows.append(
                (
                    sample,
                    self.corpus,
                    subject,
                    emotion,
                    tuple(aus),
                    au_codes,
                    onset,
                    apex,
                    offset,
                    fps,
                    frames,
                    self.edition,
                    split,
                )
            )
        self.where.setdefault(sample, source)

    def reading(self) -> Reading:
        """What was gathered. Raises CorpusMissing where that is nothing at all."""
        if not self.rows and not self.problems:
            raise CorpusMissing(f"{self.root}: the folders are there, but no clip in them; copy them from the release")
        return Reading(
            self.corpus,
            self.root,
            self.edition,
            sample_table(self.rows),
            self.corrections,
            self.problems,
            self.notes,
            self.editions,
        )


def _order(onset: int | None, apex: int | None, offset: int | None) -> list[tuple[str, str]]:
    frames = (("onset", onset), ("apex", apex), ("offset", offset))
    named = [(name, number) for name, number in frames if number is not None]
    return [
        (f"{a} {x} lies after {b} {y}", "correct the sheet")
        for (a, x), (b, y) in zip(named, named[1:], strict=False)
        if x > y
    ]


def _missing(frames: Frames, wanted: dict[str, int | None]) -> list[tuple[str, str]]:
    if not frames.names:
        return [(f"no image in {frames.folder}", "restore the folder from the release")]
    held = f"on disk: {frames.numbers[0]}..{frames.numbers[-1]}, {len(frames)} images"
    if frames.twice:
        pairs = f"{frames.twice[0]} and {len(frames.twice) - 1} more" if len(frames.twice) > 1 else frames.twice[0]
        return [(f"two images of one frame number in {frames.folder}: {pairs}", "leave one of each in")]
    return [
        (f"{name} frame {number} is not in {frames.folder} ({held})", "restore the image from the release")
        for name, number in wanted.items()
        if number is not None and number not in frames
    ]


def sample_table(rows: Iterable[tuple]) -> pd.DataFrame:
    """Rows in the order of COLUMNS as a DataFrame sorted by sample."""
    rows = sorted(rows, key=lambda row: row[0])
    values = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(COLUMNS, ())
    types = {"onset": "Int64", "apex": "Int64", "offset": "Int64", "fps": "float64"}
    return pd.DataFrame(
        {name: pd.Series(list(column), dtype=types.get(name, "object")) for name, column in values.items()}
    )


def aligned(samples: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """The rows of a sample table with these ids, in the order of the ids, counted from 0.

    Raises ValueError for an id that is not in the table."""
    places = pd.Index(samples["sample"]).get_indexer(list(ids))
    if (places < 0).any():
        unknown = [i for i, place in zip(ids, places, strict=True) if place < 0]
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ValueError(f"sample {unknown[0]}{more} of {len(ids)} is not among the {len(samples)} of the sample table")
    return samples.iloc[places].reset_index(drop=True)


def usable(reading: Reading, skip_broken: bool = False) -> pd.DataFrame:
    """The samples of a reading. Raises CorpusError with all its problems unless skip_broken."""
    if reading.problems and not skip_broken:
        raise CorpusError(reading)
    return reading.samples


def loader(read: Callable[..., Reading]) -> Callable[..., pd.DataFrame]:
    """load(root, *, skip_broken=False, …) for a corpus's read(root, …)."""

    def load(root: str | os.PathLike, *, skip_broken: bool = False, **choices) -> pd.DataFrame:
        """The table of samples. Raises CorpusMissing, SheetError, and CorpusError unless skip_broken."""
        return usable(read(root, **choices), skip_broken)

    return load
