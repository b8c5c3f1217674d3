"""The Python snippets of the READMEs run as they stand and print what stands beside them."""

import re
from pathlib import Path

import pytest

from shared.cli import papers

ROOT = Path(__file__).parents[1]
BLOCKS = [
    pytest.param(block, id=str(readme.relative_to(ROOT)))
    for readme in [ROOT / "README.md", *sorted(ROOT.glob("*/README.md"))]
    for block in re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
]


def test_every_readme_has_a_snippet():
    assert {block.id for block in BLOCKS} == {"README.md", *(f"{paper}/README.md" for paper in papers())}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_snippet_prints_what_it_says(block, capsys):
    exec(block, {})
    printed = capsys.readouterr().out.splitlines()
    said = [line.rpartition("# ")[2] for line in block.splitlines() if "# " in line]
    assert printed and [line for line in said if line in printed] == printed
