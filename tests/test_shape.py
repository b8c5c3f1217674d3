"""The shape of the repository: papers stand alone, methods can be copied, tables are as printed, imports go down."""

import ast
import csv
import dataclasses
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.cli import papers
from shared.metrics import METRICS
from shared.report.comparison import KINDS, columns_of, published_numbers
from shared.report.printed import POSITIVES, printed_numbers
from shared.tasks import TASKS

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / name for name in papers()]
PUBLISHED = sorted(ROOT.glob("*/tables/published.csv"))
CSVS = sorted({*ROOT.glob("*/tables/*.csv")} - {*PUBLISHED})
METHOD = {"torch", "torchvision", "einops"}  # what a method's files may import besides the standard library


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(file: Path, *, for_types: bool = True) -> tuple[set[str], set[Path]]:
    """Top-level names of other packages and files of its own that a file imports, anywhere in it.

    Without `for_types`, imports under `if TYPE_CHECKING:` are left out."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if not for_types:
        tree.body = [n for n in tree.body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]
    others, siblings = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            others.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for path in (base / alias.name for alias in node.names):
                found = [
                    p for p in (path.with_suffix(".py"), path / "__init__.py", base.with_suffix(".py")) if p.exists()
                ]
                siblings.add((found or [base / "__init__.py"])[0])
    return others, siblings


def method_files(package: Path, *stems: str) -> set[Path]:
    """The files of these names, and whatever they import."""
    found: set[Path] = set()
    new = {file for stem in stems if (file := package / f"{stem}.py").exists()}
    while new:
        found |= new
        new = {sibling for file in new for sibling in imports(file)[1]} - found
    return found


def test_there_are_packages():
    assert len(PACKAGES) >= 5 and all((package / "model.py").exists() for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_no_package_imports_another(package):
    others = {other.name for other in PACKAGES} - {package.name}
    for file in package.rglob("*.py"):
        used, siblings = imports(file)
        assert not used & others, file
        assert all(package in sibling.parents for sibling in siblings), file


def test_shared_names_no_paper():
    papers = re.compile(r"dvasp|tstsan|mtmnet|eidnet|\bsca\b|sca_au|ma2mi|miacnet", re.IGNORECASE)
    named = [
        f"{name(file)}:{i}: {line.strip()}"
        for file in sorted((ROOT / "shared").rglob("*.py"))
        for i, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if papers.search(line)
    ]
    assert not named, "\n".join(named)


# shared/ from the top to the bottom: a file imports from its own floor and those below, of the rooms and of the files.
FLOORS = (
    ("__main__", "cli", "compare", "claims", "reproduce", "fit", "export", "hub", "faces", "options"),
    ("report",),
    ("runs",),
    ("tasks",),
    ("pixels",),
    ("corpora",),
    ("protocols", "metrics", "keys", "files", "processes", "errors"),
)
SHARED = ROOT / "shared"


def place(file: Path) -> str:
    """The room of a file of shared/, or the file's own name on the ground floor."""
    return file.relative_to(SHARED).with_suffix("").parts[0]


def test_shared_imports_go_downwards_only():
    floor = {part: height for height, parts in enumerate(reversed(FLOORS)) for part in parts}
    wrong = []
    for file in sorted(SHARED.rglob("*.py")):
        if file == SHARED / "__init__.py":
            continue
        for used in sorted(imports(file, for_types=False)[1] - {SHARED / "__init__.py"}):
            here, there = place(file), place(used)
            if here == "synthetic":
                allowed = there in ("synthetic", "errors", "files")
            elif there == "synthetic":
                allowed = floor[here] == len(FLOORS) - 1
            else:
                allowed = floor[here] >= floor[there]
            if not allowed:
                wrong.append(f"{name(file)} imports {name(used)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", [SHARED, *PACKAGES], ids=name)
def test_no_files_import_each_other_in_a_circle(folder):
    """Imports within functions count, too; those for types alone do not."""
    files = set(folder.rglob("*.py"))
    used = {file: imports(file, for_types=False)[1] & files - {file} for file in files}
    while free := [f for f in used if not used[f] & used.keys() or not any(f in others for others in used.values())]:
        for file in free:  # in no circle: it imports none of those left, or none of them imports it
            del used[file]
    assert not used, "\n".join(f"{name(f)} imports {name(u)}" for f in sorted(used) for u in used[f] & used.keys())


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_methods_import_torch_and_their_siblings_alone(package):
    for file in method_files(package, "__init__", "model", "losses"):
        used, siblings = imports(file)
        assert not used - METHOD - sys.stdlib_module_names, file
        assert all(package in sibling.parents for sibling in siblings), file


def test_methods_can_be_copied(tmp_path):
    """Copied into an empty folder, the files that the README lists import there, as do each package's public names."""
    row = r"^\| `(\w+)` \| ((?:`\w+\.py`(?:, )?)+) \|$"
    listed = re.findall(row, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {paper for paper, _ in listed} == {package.name for package in PACKAGES}
    lines = ["import sys", f"assert {str(ROOT)!r} not in sys.path, sys.path"]
    for paper, files in listed:
        copied = {ROOT / paper / file for file in re.findall(r"\w+\.py", files)}
        assert copied == method_files(ROOT / paper, "model", "losses")
        public = method_files(ROOT / paper, "__init__")
        for home, taken in ((f"my_{paper}", copied), (f"all_of_{paper}", public)):
            for file in taken:
                target = tmp_path / home / file.relative_to(ROOT / paper)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
        lines += [*(f"import my_{paper}.{file.stem}" for file in copied), f"from all_of_{paper} import *"]
    lines.append("assert 'shared' not in sys.modules")
    (tmp_path / "home.py").write_text("\n".join(lines), encoding="utf-8")
    environment = {"OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run([sys.executable, "home.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", CSVS, ids=name)
def test_printed_numbers_are_well_formed(file):
    with open(file, newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == ["row", "column", "value", "source"] and len(rows) > 1
    assert all(len(row) == 4 and all(cell == cell.strip() for cell in row) and row[0] and row[1] for row in rows)
    cells = [tuple(row[:2]) for row in rows[1:]]
    assert len(set(cells)) == len(cells)
    for *_, value, source in rows[1:]:
        if source == "illegible":  # printed, and not to be read in our copy
            assert not value
        else:
            assert re.fullmatch(r"-?\d*\.?\d+", value) and source in ("run", "cited"), (value, source)


@pytest.mark.parametrize("file", PUBLISHED, ids=name)
def test_published_numbers_name_their_source(file):
    columns = {column.name for kind in KINDS for group in columns_of(kind).values() for column in group}
    lines = published_numbers(file.parents[1])
    assert lines and list(lines[0]) == ["method", "column", "value", "source", "protocol", "selection"]
    for line in lines:
        assert all(line.values()) and line["column"] in columns and 0 < float(line["value"]) < 1, line


def paper(package: Path):
    return importlib.import_module(f"{package.name}.experiments").PAPER


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_tables_are_those_printed(package):
    """Each row and column of a printed table is in its CSV, but for those that say "(ours)"; each row that the authors
    ran is declared. A table without a CSV is ours altogether."""
    tables = {table.name: table for table in paper(package).tables}
    assert {file.stem for file in (package / "tables").glob("*.csv") if file in CSVS} <= set(tables)
    for table in tables.values():
        numbers = printed_numbers(package, table.name)
        if not numbers:
            continue
        declared = {row.name for row in table.rows}
        assert {row for row in declared if "(ours)" not in row} <= {row for row, _ in numbers}, table.name
        columns = {column.name for column in table.columns if "(ours)" not in column.name}
        assert columns <= {column for _, column in numbers}, table.name
        run = {row for (row, _), (_, source) in numbers.items() if source == "run" and row != POSITIVES}
        assert run <= declared, table.name


def test_the_epoch_that_is_scored_is_that_of_the_paper():
    """SCA has a validation fold (Sec. 4.2); SKD-TSTSAN stops early on the test part (released code)."""
    rules = {p.name: paper(p).rule for p in PACKAGES}
    last = dict.fromkeys(("dvasp", "ma2mi", "mtmnet"), "last")
    assert rules == last | {"sca_au": "val", "skd_tstsan": "best_on_test"}


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_each_column_has_the_metric_that_is_printed(package):
    """DVASP: macro F1 of each unit; SCA: F1 of "present", a mean of folds; the others: accuracy, UF1 and UAR."""
    printed = {
        "dvasp": {"AU": "f1_macro", "AVG": "f1_macro"},  # Sec. IV-B
        "sca_au": {"AU": "f1_binary", "AVG": "f1_binary"},
        "skd_tstsan": {"UF1": "uf1", "UAR": "uar"},  # Sec. 4.3
        "ma2mi": {"Acc": "accuracy", "UF1": "uf1"},
        "mtmnet": {"Acc": "accuracy", "F1": "uf1", "UF1": "uf1", "UAR": "uar"},
    }[package.name]
    tables = [table for table in paper(package).tables if printed_numbers(package, table.name)]
    columns = [column for table in tables for column in table.columns if "(ours)" not in column.name]
    assert columns
    for column in columns:
        word, percent = re.fullmatch(r"(?:.* )?(\w+)( \(%\))?", column.name).groups()
        word = "AU" if column.au else word
        joined = "mean of folds" if package.name == "sca_au" else "pooled"
        expected = printed[word], 100 if percent else 1, joined
        assert (column.metric, column.scale, column.joined) == expected, column.name


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_every_row_can_be_run(package):
    p = paper(package)
    assert p.name == package.name and p.folder == package and p.rule in ("last", "val", "best_on_test")
    assert p.choose([]) and len({table.name for table in p.tables}) == len(p.tables)
    for scale in ("smoke", "paper"):
        base = p.base(scale, {})
        hash(base)
        for table in p.tables:
            assert len({row.name for row in table.rows}) == len(table.rows)
            assert len({column.name for column in table.columns}) == len(table.columns)
            for row, column in table.cells():
                config = dataclasses.replace(base, **{**row.changes, **column.changes})
                task = TASKS[column.task]
                assert task.protocol and column.metric in METRICS
                assert column.au is None or column.au in task.aus
                assert column.corpus is None or column.corpus in task.corpora
                if row.records:
                    lender, _, lent = p.lent(row, column)
                    assert column.metric in lender.metrics(lent.task), row.records
                needs = p.pretraining(config, task)
                assert needs is None or (p.pretrain and needs["corpora"])
            assert all(any(r is row for r, _ in table.cells()) for row in table.rows)


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_every_run_says_what_its_networks_started_from(package):
    """Random, or a file by its name; and which corpora were learned from before, which are those that are needed."""
    p = paper(package)
    for scale in ("smoke", "paper"):
        base = p.base(scale, {})
        cells = [(row, column) for table in p.tables for row, column in table.cells() if not row.records]
        for changes, task in [({}, cells[0][1].task), *(({**r.changes, **c.changes}, c.task) for r, c in cells)]:
            config = dataclasses.replace(base, **changes)
            (line,) = [x for x in p.remarks(config) if x.startswith("weights: ")]
            start, *then = line.removeprefix("weights: ").split("; ")
            assert start.startswith(("random", "none")) or re.search(r"[\w-]+\.(pth|safetensors)\b", start), line
            assert scale == "paper" or start.startswith(("random", "none")), line
            needs = p.pretraining(config, TASKS[task])
            assert len(then) == (needs is not None) and (not needs or "pre-trained here on " in then[0]), line
            assert all(corpus in then[0] for corpus in (needs["corpora"] if needs else ())), line
