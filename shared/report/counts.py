"""Counts of a sample table or a task, beside those printed in the literature."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..tasks import Task
from .printed import DIFFERENCES, PRINTED, Counts

SUBSET = 0.9  # a release with fewer of its printed samples is a subset: its counts are not compared


@dataclass(frozen=True)
class Count:
    """A number found, and one printed; `why` explains a difference between the two where it is known."""

    what: str
    found: int
    printed: int | None = None
    source: str = ""
    why: str = ""

    @property
    def differs(self) -> bool:
        return self.printed is not None and self.printed != self.found


def corpus_counts(samples: pd.DataFrame) -> Counts:
    """Samples, subjects, emotions, action units and splits of a sample table."""
    labelled = samples[samples["emotion"].notna()]
    found = {"samples": len(samples)}
    people = (samples["subject"] != samples["sample"]).any()
    if people:
        found["subjects"] = samples["subject"].nunique()
    if 0 < len(labelled) < len(samples):
        found["labelled samples"] = len(labelled)
        if people:
            found["labelled subjects"] = labelled["subject"].nunique()
    found |= dict(Counter(labelled["emotion"]).most_common())
    units = Counter(unit for units in samples["aus"] for unit in units)
    found |= {f"AU {unit}": units[unit] for unit in sorted(units)}
    for split, n in sorted(Counter(samples["split"].dropna()).items()):
        numbered = {f"set {split} test": n, f"set {split} train": len(labelled) - n}
        found |= numbered if split.isdigit() else {split: n}
    return found


def task_counts(task: Task, samples: pd.DataFrame) -> Counts:
    """Samples, subjects and classes or units of a task's samples; of pooled corpora also corpus by corpus."""
    found = {"samples": len(samples), "subjects": samples["subject"].nunique()}
    if task.aus:
        return found | {f"AU {unit}": sum(t[i] == 1 for t in samples["target"]) for i, unit in enumerate(task.aus)}
    names = samples["target"].map(dict(enumerate(task.classes)))
    found |= {name: int((names == name).sum()) for name in task.classes}
    for corpus in sorted(set(samples["corpus"])) if len(task.corpora) > 1 else ():
        here = samples["corpus"] == corpus
        found |= {corpus: int(here.sum())}
        found |= {f"{corpus} {name}": int((here & (names == name)).sum()) for name in task.classes}
    return found


def expected_counts(task: Task) -> list[tuple[str, Counts]]:
    """The task's own printed numbers of samples."""
    if not task.expected:
        return []
    each = dict(task.expected) if len(task.expected) > 1 else {}
    return [(task.source, {"samples": sum(task.expected.values())} | each)]


def compare(name: str, found: Counts, more: Sequence[tuple[str, Counts]] = ()) -> tuple[list[Count], list[str]]:
    """Counts found beside those printed of `name`, and remarks; what is printed and not found counts 0.

    A subset of the release, which is printed first, is not compared: one remark reports it. It has nothing more than
    the release, and less than SUBSET of its samples or not all of its subjects."""
    printed = [*more, *PRINTED.get(name, [])]
    if remark := _subset(found, printed):
        return [Count(what, n) for what, n in found.items()], [remark]
    compared = []
    for what in dict.fromkeys([*found, *(what for _, counts in printed for what in counts)]):
        n = found.get(what, 0)
        known = dict.fromkeys((counts[what], source) for source, counts in printed if what in counts)
        for number, source in known:
            why = DIFFERENCES.get((name, what, number), "") if number != n else ""
            compared.append(Count(what, n, number, source, why))
        if not known:
            compared.append(Count(what, n))
    return compared, []


def _subset(found: Counts, printed: Sequence[tuple[str, Counts]]) -> str:
    """The remark that `found` is a subset of what is printed first; empty where it is none."""
    if not printed:
        return ""
    source, release = printed[0]
    second = printed[1][1] if len(printed) > 1 else {}  # a task's own source has no number of subjects
    people = {what: n for what, n in (second | release).items() if what.endswith("subjects")}
    share = 1 if any(found.get(what, 0) < n for what, n in people.items()) else SUBSET
    size = next(iter(release))
    if found.get(size, 0) >= share * release[size] or any(found.get(what, 0) > n for what, n in release.items()):
        return ""
    return f"a subset: {found.get(size, 0)} of {release[size]} {size} ({source}); not compared with the printed counts"
