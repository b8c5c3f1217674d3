"""The documents are true: snippets run and print what stands beside them, commands exist, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from shared.cli import load, papers
from shared.options import parse
from shared.runs.config import changed

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


BLOCKS = [
    pytest.param(block, id=str(readme.relative_to(ROOT)))
    for readme in DOCUMENTS
    for block in re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
]


def test_every_readme_has_a_snippet():
    assert {block.id for block in BLOCKS} == {"README.md", *(f"{paper}/README.md" for paper in papers())}


def commands() -> list:
    """The lines of the documents that start reproduce.sh, without their comments."""
    found = {}
    for document in DOCUMENTS:
        for line in re.findall(r"^bash reproduce\.sh .*$", document.read_text(encoding="utf-8"), re.MULTILINE):
            found[" ".join(line.split(" #")[0].split())] = document
    return [pytest.param(line, id=f"{name(path)}: {line}") for line, path in found.items()]


@pytest.mark.parametrize("line", commands())
def test_a_command_can_be_given(line):
    """With a paper's name for PAPER; rows and settings are there."""
    arguments = shlex.split(line.replace("PAPER", "ma2mi"))[2:]
    if arguments[0] != "test":
        args = parse("bash reproduce.sh", papers(), arguments)
        if hasattr(args, "rows") and hasattr(args, "paper"):
            paper = load(args.paper)
            assert paper.choose(args.rows) and paper.base("smoke", dict(args.set))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (document.parent / link).exists(), link


@pytest.mark.parametrize("package", papers())
def test_published_files_are_those_declared(package):
    """A README lists each with what it is, its page, its licence and the setting; all that a Config names are there."""
    paper, readme = load(package), (ROOT / package / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w.-]+)` \| (.+) \| <(\S+)> \| (.+) \| `(.+)` \|$", readme, re.MULTILINE)
    declared = [(f.name, f.what, f.source, f.licence, f.setting) for f in paper.published]
    assert listed == declared
    base = paper.base("paper", {})
    cells = [cell for table in paper.tables for cell in table.cells() if not cell[0].records]
    names = {name for row, column in cells for name in paper.files(changed(base, {**row.changes, **column.changes}))}
    assert names <= {f.name for f in paper.published}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_snippet_prints_what_it_says(block, capsys):
    exec(block, {})
    printed = capsys.readouterr().out.splitlines()
    said = [line.rpartition("# ")[2] for line in block.splitlines() if "# " in line]
    assert printed and [line for line in said if line in printed] == printed
