"""The survey of a disk: corpora found, counts beside the printed ones, corrections, every broken row, what can run."""

import csv
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .. import keys
from ..corpora import CORPORA, mmew, smic
from ..corpora.folders import is_synthetic
from ..corpora.samples import CorpusMissing, Frames, Problem, Reading
from ..corpora.sheets import SheetError
from ..errors import UserError
from ..files import check_writable, replacing
from ..runs.paper import Paper
from ..tasks import TASKS, Task
from .counts import Count, compare, corpus_counts, expected_counts, task_counts
from .printed import PRINTED

# The parts of a corpus that are read separately: name -> reader.
PARTS: dict[str, dict[str, Callable[..., Reading]]] = {name: {name: module.read} for name, module in CORPORA.items()}
PARTS["CASME"] = {"CASME 2013": CORPORA["CASME"].read}
PARTS["SMIC"] = {f"SMIC {camera}": functools.partial(smic.read, camera=camera) for camera in smic.FPS}
PARTS["MMEW"]["MMEW macro"] = mmew.read_macro
CSV_HEADER = ("part", "kind", "what", "found", "printed", "source", "remark")


@dataclass
class Part:
    """A corpus, one edition of it, or a task: its reading, or why there is none, and its counts.

    `images`: the problems of images that cannot be decoded, where they were decoded."""

    name: str
    corpus: str
    reading: Reading | None = None
    missing: str = ""
    counts: list[Count] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    images: list[Problem] | None = None
    used: bool = True  # by tasks, of a corpus's parts one


def survey(data: Path) -> list[Part]:
    """Every corpus under `data`, part by part and edition by edition, and the tasks on what is there."""
    parts: list[Part] = []
    for corpus, readers in PARTS.items():
        found: list[Part] = []
        missing: list[tuple[bool, Part]] = []  # whether it is broken or that which tasks use, and what is said of it
        for i, (name, read) in enumerate(readers.items()):
            try:
                reading = read(data)
                readings = [reading, *(read(data, edition=edition) for edition in reading.editions[1:])]
                found += [_part(name, corpus, reading, used=not i) for reading in readings]
            except (CorpusMissing, SheetError) as error:
                said = not i or isinstance(error, SheetError)
                missing.append((said, Part(name, corpus, missing=str(error), used=not i)))
        parts += [*found, *(part for said, part in missing if said)] if found else [missing[0][1]]
    return parts + _tasks(parts)


def _part(name: str, corpus: str, reading: Reading, *, used: bool) -> Part:
    name = edition if (edition := f"{name} {reading.edition}") in PRINTED else name
    counts, remarks = compare(name, corpus_counts(reading.samples))
    return Part(name, corpus, reading, counts=counts, remarks=remarks, used=used)


def _tasks(parts: Sequence[Part]) -> list[Part]:
    """The tasks on what was found, each in the edition that it names, where that is there."""
    readings: dict[str, dict[str, Reading]] = {}  # corpus -> edition -> reading, the reader's own choice first
    for part in parts:
        if part.reading is not None and part.used:
            readings.setdefault(part.corpus, {}).setdefault(part.reading.edition, part.reading)
    return [_task(task, readings) for task in TASKS.values()]


def _task(task: Task, readings: Mapping[str, Mapping[str, Reading]]) -> Part:
    missing = task.missing_corpora(readings)
    if len(missing) == len(task.corpora) or (missing and task.protocol):
        return Part(task.name, "", missing=f"needs {', '.join(missing)}")
    chosen = []
    for corpus, editions in ((corpus, readings[corpus]) for corpus in task.corpora if corpus in readings):
        chosen.append(editions.get(task.edition.get(corpus, ""), next(iter(editions.values()))))
    samples = task.select(pd.concat([reading.samples for reading in chosen], ignore_index=True))
    remarks, found = task.remarks({r.corpus: r.edition for r in chosen}), task_counts(task, samples)
    if remarks:  # printed numbers are not those of another edition
        return Part(task.name, "", counts=[Count(what, n) for what, n in found.items()], remarks=remarks)
    counts, remarks = compare(task.name, found, expected_counts(task))
    return Part(task.name, "", counts=counts, remarks=remarks)


def survey_text(parts: Sequence[Part], *, synthetic: bool = False) -> str:
    """The survey to read. Synthetic faces may be a share of a corpus: their differences need no explanation."""
    lines = ["synthetic faces: not comparable with the paper", ""] if synthetic else []
    for part in parts:
        lines += _lines(part, synthetic)
    broken = [problem for part in parts if part.reading for problem in part.reading.problems]
    lines += ["", f"broken rows and clips: {len(broken)}", *(f"  {problem}" for problem in broken)]
    decoded = [part.images for part in parts if part.images is not None]
    if decoded:
        images = list(itertools.chain(*decoded))
        lines += ["", f"images that cannot be decoded: {len(images)}", *(f"  {problem}" for problem in images)]
    return "\n".join(lines)


def _lines(part: Part, synthetic: bool) -> list[str]:
    if part.missing:
        return [f"{part.name}: {part.missing}"]
    reading, lines = part.reading, [part.name]
    if reading:
        named = part.name.endswith(f" {reading.edition}")
        lines[0] += ("" if named else f", {reading.edition or 'edition not named'}") + f" in {reading.root}"
    width = max((len(count.what) for count in part.counts), default=0)
    for count in part.counts:
        if count.printed is not None:
            why = (count.why or "not explained" * (not synthetic)) if count.differs else ""
            numbers = f"{count.found:6} {'≠' if count.differs else '='} {count.printed:6}"
            lines.append(f"  {count.what:{width}}  {numbers} {count.source}{why and ': ' + why}")
    if only_found := [f"{count.what} {count.found}" for count in part.counts if count.printed is None]:
        lines.append("  " + ", ".join(only_found))
    lines += [f"  note: {remark}" for remark in part.remarks]
    if reading:
        lines += [f"  corrected: {correction}" for correction in reading.corrections]
        lines += [f"  note: {note}" for note in reading.notes]
        if reading.problems:
            lines.append(f"  {len(reading.problems)} broken, listed below; {len(reading.samples)} remain")
    return lines


def csv_rows(parts: Iterable[Part]) -> list[tuple[object, ...]]:
    """The survey as rows under CSV_HEADER: counts, corrections, notes and problems, and missing corpora."""
    rows: list[tuple[object, ...]] = []
    for part in parts:
        if part.missing:
            rows.append((part.name, "missing", "", "", "", "", part.missing))
            continue
        for c in part.counts:
            printed = "" if c.printed is None else c.printed
            remark = (c.why or "differs, not explained") if c.differs else ""
            rows.append((part.name, "count", c.what, c.found, printed, c.source, remark))
        rows += [(part.name, "note", "", "", "", "", remark) for remark in part.remarks]
        if part.reading:
            rows.append((part.name, "edition", part.reading.edition, "", "", "", part.reading.root))
            rows += [(part.name, "correction", c.sample, "", "", "", str(c)) for c in part.reading.corrections]
            rows += [(part.name, "note", "", "", "", "", note) for note in part.reading.notes]
            problems = [*part.reading.problems, *(part.images or ())]
            rows += [(part.name, "problem", p.sample or "", "", "", "", str(p)) for p in problems]
    return rows


def write_csv(parts: Iterable[Part], path: Path, possible: Iterable[tuple[str, str, str]] = ()) -> None:
    """Write the survey's rows and what can run, whole or not at all."""
    papers = [(paper, "rows", names, "", "", "", kind) for paper, names, kind in possible]
    with replacing(path) as temporary, open(temporary, "w", -1, "utf-8", "backslashreplace", "") as file:
        csv.writer(file).writerows([CSV_HEADER, *csv_rows(parts), *papers])


def runnable(parts: Iterable[Part], papers: Iterable[Paper]) -> list[tuple[str, str, str]]:
    """(paper, its tables or rows, whether they can run: whole, in part or not); rows alike stand together."""
    there = {part.corpus for part in parts if part.reading is not None and part.used}
    found = []
    for paper in papers:
        places: dict[str, list[str]] = {}
        for table in paper.tables:
            kinds: dict[str, list[str]] = {}
            for row in table.rows:
                missing = [set(paper.corpora(r, column)) - there for r, column in table.cells() if r is row]
                kind = "can run"
                if any(missing):
                    kind = "cannot run" if all(missing) else "can run in part"
                    kind += f" without {', '.join(c for c in CORPORA if any(c in cell for cell in missing))}"
                kinds.setdefault(kind, []).append(row.name)
            for kind, rows in kinds.items():
                whole = len(rows) == len(table.rows)
                names = [table.name] if whole else [f"{table.name}/{row}" for row in rows]
                places.setdefault(kind, []).extend(names)
        found += [(paper.name, ", ".join(names), kind) for kind, names in sorted(places.items())]
    return found


def data_dir(named: Path | None) -> Path | None:
    """The folder that --data names, else $MER_DATA, if that is set. Raises UserError where it is no folder."""
    data = named or (Path(os.environ["MER_DATA"]) if os.environ.get("MER_DATA") else None)
    if data is not None and not data.is_dir():
        raise UserError(f"{data} is not a folder; --data names the folder that holds the corpora, one folder each")
    return data


def _decode(parts: Iterable[Part]) -> None:
    """Decodes every image of the parts once; an image of several clips belongs to the first that it lies within."""
    from ..pixels.frames import undecodable

    readings = [(part, part.reading.samples) for part in parts if part.reading]
    owners: dict[str, tuple[Part, str]] = {}
    for within in (True, False):
        for part, samples in readings:
            for row in samples[["sample", "frames", "onset", "offset"]].itertuples():
                for number in row.frames.numbers if isinstance(row.frames, Frames) else ():
                    if within == (row.onset <= number <= row.offset):
                        owners.setdefault(row.frames.path(number), (part, row.sample))
    problems = undecodable({path: sample for path, (_, sample) in owners.items()})
    for part, _ in readings:
        part.images = [problem for problem in problems if owners[problem.where][0] is part]


def print_survey(
    data: Path | None, csv_path: Path | None = None, verify: bool = False, papers: Iterable[Paper] = ()
) -> int:
    """Print the survey of a folder (default: $MER_DATA); 0, or 2 if it holds no corpus. Raises UserError for none."""
    if (data := data_dir(data)) is None:
        raise UserError(
            "which folder holds the corpora? Name it with --data DIR or in $MER_DATA; it may hold any of the folders "
            + ", ".join(f"{corpus}/" for corpus in CORPORA)
        )
    if csv_path:
        check_writable(csv_path.parent)
    parts = survey(data)
    if verify:
        os.environ[keys.VERIFY] = "1"
        _decode(parts)
    for corpus, (first, *_) in itertools.groupby(parts, key=lambda part: part.corpus):
        if first.reading is not None and corpus:
            known = keys.pixels_key(first.reading.samples)
            first.remarks += [f"files identified by their {by}: {name}" for by, name in known.items()]
    possible = runnable(parts, papers)
    print(survey_text(parts, synthetic=is_synthetic(data)))
    for name, lines in itertools.groupby(possible, key=lambda line: line[0]):
        print(f"\n{name}:", *(f"  {kind}: {names}" for _, names, kind in lines), sep="\n")
    if csv_path:
        write_csv(parts, csv_path, possible)
        print(f"\nalso written to {csv_path}")
    if all(part.reading is None for part in parts):
        print(f"\nno corpus found in {data}")
        return 2
    return 0
