"""What is on this disk: corpora found, counts beside the printed ones, corrections, and every broken row."""

from __future__ import annotations

import csv
import functools
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .. import keys
from ..corpora import CORPORA, mmew, smic
from ..corpora.samples import CorpusMissing, Reading
from ..corpora.sheets import SheetError
from ..errors import UserError
from ..files import MARKER, replacing
from ..tasks import TASKS, Task
from .printed import DIFFERENCES, PRINTED, Counts

if TYPE_CHECKING:
    from ..runs.paper import Paper

# What is read of a corpus, where that is more than one thing: name → reader.
PARTS: dict[str, dict[str, Callable[[str], Reading]]] = {name: {name: module.read} for name, module in CORPORA.items()}
PARTS["CASME"] = {"CASME 2013": CORPORA["CASME"].read}
PARTS["SMIC"] = {f"SMIC {camera}": functools.partial(smic.read, camera=camera) for camera in smic.FPS}
PARTS["MMEW"]["MMEW macro"] = mmew.read_macro

SUBSET = 0.9  # of a release's samples: who has more of them is told which counts differ


@dataclass(frozen=True)
class Count:
    """A number found, and one printed; `why` is known of a difference between the two."""

    what: str
    found: int
    printed: int | None = None
    source: str = ""
    why: str = ""

    @property
    def differs(self) -> bool:
        return self.printed is not None and self.printed != self.found


@dataclass
class Part:
    """A corpus, one edition of it, or a task: its reading, or why there is none, and its counts."""

    name: str
    corpus: str
    reading: Reading | None = None
    missing: str = ""
    counts: list[Count] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def survey(data: str | os.PathLike) -> list[Part]:
    """Every corpus under `data`, part by part and edition by edition, and the tasks that what is there allows."""
    parts: list[Part] = []
    for corpus, readers in PARTS.items():
        found, missing = [], []
        for name, read in readers.items():
            try:
                reading = read(data)
                readings = [reading, *(read(data, edition=edition) for edition in reading.editions[1:])]
                found += [_part(name, corpus, reading) for reading in readings]
            except (CorpusMissing, SheetError) as error:
                missing.append(Part(name, corpus, missing=str(error)))
        parts += found or missing[:1]
    return parts + _tasks(parts)


def _part(name: str, corpus: str, reading: Reading) -> Part:
    name = edition if (edition := f"{name} {reading.edition}") in PRINTED else name
    printed, remarks = beside(name, counts(reading.samples))
    return Part(name, corpus, reading, counts=printed, remarks=remarks)


def _tasks(parts: Sequence[Part]) -> list[Part]:
    """The tasks on what was found, each in the edition that it names, where that is there."""
    readings: dict[str, dict[str, Reading]] = {}  # corpus → edition → reading, the reader's own choice first
    for part in parts:
        if part.reading is not None:
            readings.setdefault(part.corpus, {}).setdefault(part.reading.edition, part.reading)
    return [_task(task, readings) for task in TASKS.values()]


def _task(task: Task, readings: Mapping[str, Mapping[str, Reading]]) -> Part:
    lacking = [corpus for corpus in task.corpora if corpus not in readings]
    if len(lacking) == len(task.corpora) or (lacking and task.protocol):
        return Part(task.name, "", missing=f"needs {', '.join(lacking)}")
    there = []
    for corpus, editions in ((corpus, readings[corpus]) for corpus in task.corpora if corpus in readings):
        there.append(editions.get(task.edition.get(corpus, ""), next(iter(editions.values()))))
    samples = task.select(pd.concat([reading.samples for reading in there], ignore_index=True))
    remarks, found = task.remarks(samples), task_counts(task, samples)
    if remarks:  # printed numbers are not those of another edition
        return Part(task.name, "", counts=[Count(what, number) for what, number in found.items()], remarks=remarks)
    printed, remarks = beside(task.name, found, _expected(task))
    return Part(task.name, "", counts=printed, remarks=remarks)


def counts(samples: pd.DataFrame) -> Counts:
    """Samples, subjects, emotions, action units and splits of a table."""
    labelled = samples[samples["emotion"].notna()]
    found = {"samples": len(samples)}
    people = (samples["subject"] != samples["sample"]).any()
    if people:
        found["subjects"] = samples["subject"].nunique()
    if 0 < len(labelled) < len(samples):
        found["labelled samples"] = len(labelled)
        if people:
            found["labelled subjects"] = labelled["subject"].nunique()
    found |= dict(sorted(Counter(labelled["emotion"]).items(), key=lambda item: -item[1]))
    units = Counter(unit for units in samples["aus"] for unit in units)
    found |= {f"AU {unit}": units[unit] for unit in sorted(units)}
    for split, number in sorted(Counter(samples["split"].dropna()).items()):
        numbered = {f"set {split} test": number, f"set {split} train": len(labelled) - number}
        found |= numbered if split.isdigit() else {split: number}
    return found


def task_counts(task: Task, samples: pd.DataFrame) -> Counts:
    """Samples, subjects and classes or units of selected samples; of pooled corpora also corpus by corpus."""
    found = {"samples": len(samples), "subjects": samples["subject"].nunique()}
    if task.aus:
        return found | {f"AU {unit}": sum(t[i] == 1 for t in samples["target"]) for i, unit in enumerate(task.aus)}
    names = samples["target"].map(dict(enumerate(task.classes)))
    found |= {name: int((names == name).sum()) for name in task.classes}
    if len(task.corpora) > 1:
        for corpus in sorted(set(samples["corpus"])):
            here = samples["corpus"] == corpus
            found |= {corpus: int(here.sum())}
            found |= {f"{corpus} {name}": int((here & (names == name)).sum()) for name in task.classes}
    return found


def _expected(task: Task) -> list[tuple[str, Counts]]:
    """The task's own printed numbers."""
    if not task.expected:
        return []
    each = dict(task.expected) if len(task.expected) > 1 else {}
    return [(task.source, {"samples": sum(task.expected.values())} | each)]


def beside(name: str, found: Counts, more: Sequence[tuple[str, Counts]] = ()) -> tuple[list[Count], list[str]]:
    """Counts found beside those printed, and what is to be said of them; what is printed and not found counts 0.

    Of a subset of what is printed first, the release's, nothing stands beside: one remark says that it is one. It has
    nothing more than the release, and less than SUBSET of its samples or not all of its subjects."""
    result: list[Count] = []
    printed = [*more, *PRINTED.get(name, [])]
    whole = printed[0][1] if printed else {}
    people = {what: n for _, numbers in printed[1::-1] for what, n in numbers.items() if what.endswith("subjects")}
    share = 1 if any(found.get(what, 0) < n for what, n in people.items()) else SUBSET
    size = next(iter(whole), "")
    if size and found.get(size, 0) < share * whole[size] and all(found.get(what, 0) <= n for what, n in whole.items()):
        remark = f"a subset: {found.get(size, 0)} of {whole[size]} {size} ({printed[0][0]}); not compared with print"
        return [Count(what, number) for what, number in found.items()], [remark]
    for what in dict.fromkeys([*found, *(what for _, numbers in printed for what in numbers)]):
        known = [(numbers[what], source) for source, numbers in printed if what in numbers] or [(None, "")]
        for number, source in known:
            why = DIFFERENCES.get((name, what, number), "") if number is not None else ""
            result.append(Count(what, found.get(what, 0), number, source, why if number != found.get(what, 0) else ""))
    return result, []


def text(parts: Iterable[Part], *, generated: bool = False) -> str:
    """The survey to read. Generated faces may be a share of a corpus: their differences need no explanation."""
    lines = ["generated faces: not comparable with the paper", ""] if generated else []
    parts = list(parts)
    for part in parts:
        lines += _lines(part, generated)
    broken = [problem for part in parts if part.reading for problem in part.reading.problems]
    lines += ["", f"broken rows and clips: {len(broken)}", *(f"  {problem}" for problem in broken)]
    return "\n".join(lines)


def _lines(part: Part, generated: bool) -> list[str]:
    if part.missing:
        return [f"{part.name}: {part.missing}"]
    where = f" in {part.reading.root}" if part.reading else ""
    edition = f", {part.reading.edition or 'edition not named'}" if part.reading else ""
    if part.reading and part.name.endswith(f" {part.reading.edition}"):
        edition = ""
    lines = [f"{part.name}{edition}{where}"]
    plain = [count for count in part.counts if count.printed is None]
    width = max((len(count.what) for count in part.counts), default=0)
    for count in part.counts:
        if count.printed is not None:
            mark = "=" if not count.differs else "≠"
            why = count.why or ("" if generated else "not explained")
            why = f": {why}" if count.differs and why else ""
            lines.append(f"  {count.what:{width}}  {count.found:6} {mark} {count.printed:6} {count.source}{why}")
    if plain:
        lines.append("  " + ", ".join(f"{count.what} {count.found}" for count in plain))
    lines += [f"  note: {remark}" for remark in part.remarks]
    if part.reading:
        lines += [f"  corrected: {correction}" for correction in part.reading.corrections]
        lines += [f"  note: {note}" for note in part.reading.notes]
        if part.reading.problems:
            lines.append(f"  {len(part.reading.problems)} broken, listed below; {len(part.reading.samples)} remain")
    return lines


CSV_HEADER = ("part", "kind", "what", "found", "printed", "source", "remark")


def rows(parts: Iterable[Part]) -> list[tuple[object, ...]]:
    """The survey as rows under CSV_HEADER: counts, corrections, notes and problems, and what is missing."""
    result: list[tuple[object, ...]] = []
    for part in parts:
        if part.missing:
            result.append((part.name, "missing", "", "", "", "", part.missing))
            continue
        for c in part.counts:
            printed = "" if c.printed is None else c.printed
            remark = (c.why or "differs, not explained") if c.differs else ""
            result.append((part.name, "count", c.what, c.found, printed, c.source, remark))
        result += [(part.name, "note", "", "", "", "", remark) for remark in part.remarks]
        if part.reading:
            result.append((part.name, "edition", part.reading.edition, "", "", "", part.reading.root))
            result += [(part.name, "correction", c.sample, "", "", "", str(c)) for c in part.reading.corrections]
            result += [(part.name, "note", "", "", "", "", note) for note in part.reading.notes]
            result += [(part.name, "problem", p.sample or "", "", "", "", str(p)) for p in part.reading.problems]
    return result


def write_csv(parts: Iterable[Part], path: str | os.PathLike, possible: Iterable[tuple[str, str, str]] = ()) -> None:
    """Writes the survey's rows and what can run, whole or not at all."""
    papers = [(paper, "rows", names, "", "", "", kind) for paper, names, kind in possible]
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([CSV_HEADER, *rows(parts), *papers])


def runnable(parts: Iterable[Part], papers: Iterable[Paper]) -> list[tuple[str, str, str]]:
    """(paper, what of it, what is in the way) of every row: whole, in part, or not; rows alike stand together."""
    there = {part.corpus for part in parts if part.reading is not None}
    result = []
    for paper in papers:
        places: dict[str, list[str]] = {}
        for table in paper.tables:
            kinds: dict[str, list[str]] = {}
            for row in table.rows:
                lacking = [set(paper.corpora(r, column)) - there for r, column in table.cells() if r is row]
                if not any(lacking):
                    kind = "can run"
                else:
                    kind = "can run in part" if not all(lacking) else "cannot run"
                    kind += f" without {', '.join(c for c in CORPORA if any(c in cell for cell in lacking))}"
                kinds.setdefault(kind, []).append(row.name)
            for kind, rows in kinds.items():
                whole = len(rows) == len(table.rows)
                names = [table.name] if whole else [f"{table.name}/{row}" for row in rows]
                places.setdefault(kind, []).extend(names)
        result += [(paper.name, ", ".join(names), kind) for kind, names in sorted(places.items())]
    return result


def print_survey(
    data: Path | None, csv_path: Path | None = None, verify: bool = False, papers: Iterable[Paper] = ()
) -> int:
    """Print the survey of a folder (default: $MER_DATA); 0, or 2 if it holds no corpus. Raises UserError for none."""
    data = data or (Path(os.environ["MER_DATA"]) if os.environ.get("MER_DATA") else None)
    if data is None:
        raise UserError(
            "which folder holds the corpora? name it with --data DIR or in $MER_DATA; looked for in it are the folders "
            f"{', '.join(f'{corpus}/' for corpus in CORPORA)}, those that you have"
        )
    if not data.is_dir():
        raise UserError(f"{data} is not a folder; --data names the folder that holds the corpora, one folder each")
    parts = survey(data)
    if verify:
        os.environ[keys.VERIFY] = "1"
    for corpus, group in itertools.groupby(parts, key=lambda part: part.corpus):
        if (first := next(group)).reading is not None and corpus:
            known = keys.pixels(first.reading.samples)
            first.remarks += [f"files known by their {by}: {name}" for by, name in known.items()]
    possible = runnable(parts, papers)
    print(text(parts, generated=(data / MARKER).exists()))
    for paper, group in itertools.groupby(possible, key=lambda line: line[0]):
        print(f"\n{paper}:")
        for _, names, kind in group:
            print(f"  {kind}: {names}")
    if csv_path:
        write_csv(parts, csv_path, possible)
        print(f"\nalso written to {csv_path}")
    if not any(part.reading is not None for part in parts):
        print(f"\nno corpus found in {data}")
        return 2
    return 0
