"""Gathering the rows of one corpus into a Reading, each as a sample or as the problems that keep it out."""

from collections.abc import Iterable, Sequence

from .folders import CorpusFolder
from .samples import CorpusMissing, Correction, Frames, Problem, Reading, Video, sample_table
from .sheets import SheetRow


class Collector:
    """The rows of one corpus so far; `notes` are shared with the corpus's folder."""

    def __init__(self, corpus: CorpusFolder, edition: str = "", editions: Sequence[str] = ()) -> None:
        self.corpus, self.root, self.notes = corpus.corpus, corpus.root, corpus.notes
        self.edition, self.editions = edition, tuple(editions) or (edition,)
        self.rows: list[tuple] = []
        self.sources: dict[str, str] = {}
        self.corrections: list[Correction] = []
        self.problems: list[Problem] = []

    def problem(self, where: str, row: int | None, what: str, remedy: str, sample: str | None = None) -> None:
        """Adds a problem."""
        self.problems.append(Problem(where, row, what, remedy, sample))

    def faulty(self, row: SheetRow, where: str, sample: str) -> bool:
        """Whether a sheet's row has faults, which are added to the problems."""
        for what, remedy in row.faults:
            self.problem(where, row.number, what, remedy, sample)
        return bool(row.faults)

    def correct(self, sample: str, column: str, what: str, why: str) -> None:
        """Adds a correction."""
        self.corrections.append(Correction(sample, column, what, why))

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

        Without a `subject` nobody's identity is known: the sample is its own subject. `where` and `row` are its source,
        by default its frames."""
        where = where or (frames.path if isinstance(frames, Video) else frames.folder)
        faults = []
        if sample in self.sources:
            faults.append((f"{sample} is there already ({self.sources[sample]})", "keep one of the two"))
        faults += out_of_order(onset, apex, offset)
        if isinstance(frames, Frames):
            faults += _missing(frames, {"onset": onset, "apex": apex, "offset": offset})
        for what, remedy in faults:
            self.problem(where, row, what, remedy, sample)
        if not faults:
            labels = (sample, self.corpus, subject or sample, emotion, tuple(aus), au_codes)
            self.rows.append((*labels, onset, apex, offset, fps, frames, self.edition, split))
        self.sources.setdefault(sample, where if row is None else f"{where}, row {row}")

    def reading(self) -> Reading:
        """The rows gathered. Raises CorpusMissing where there is none, and no problem either."""
        if not self.rows and not self.problems:
            raise CorpusMissing(f"{self.root}: the folders are there, but no clip in them; copy them from the release")
        table = sample_table(self.rows)
        return Reading(
            self.corpus, self.root, self.edition, table, self.corrections, self.problems, self.notes, self.editions
        )


def out_of_order(onset: int | None, apex: int | None, offset: int | None) -> list[tuple[str, str]]:
    """Each fault of the order of key frames, and its remedy."""
    frames = (("onset", onset), ("apex", apex), ("offset", offset))
    given = [(name, number) for name, number in frames if number is not None]
    return [
        (f"{a} {x} lies after {b} {y}", "correct the sheet")
        for (a, x), (b, y) in zip(given, given[1:], strict=False)
        if x > y
    ]


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
