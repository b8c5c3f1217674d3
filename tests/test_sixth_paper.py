"""A paper that is added by the steps of CONTRIBUTING.md runs, and the repository's own tests take it in."""

import shutil
import subprocess
import sys

import pytest
from toy.shell import ENVIRONMENT, ROOT, copy_repository, python_path

FILES = ("__init__.py", "__main__.py", "config.py", "model.py", "train.py", "experiments.py")


@pytest.fixture
def python(tmp_path):
    """Runs Python in a copy of the repository to which a sixth paper was added."""
    copy = tmp_path / "copy"
    copy_repository(copy)
    toy, sixth = copy / "tests" / "toy", copy / "sixth"
    shutil.copytree(toy / "tables", sixth / "tables")
    for file in FILES:
        shutil.copy(toy / file, sixth)
    declared = (sixth / "experiments.py").read_text(encoding="utf-8")
    assert declared.count('name="toy"') == 1
    (sixth / "experiments.py").write_text(declared.replace('name="toy"', 'name="sixth"'), encoding="utf-8")

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        environment = ENVIRONMENT | {"PYTHONPATH": python_path(copy)}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_sixth_paper_is_found_and_runs(python, casme2, tmp_path):
    steps = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"`{file}`" in steps for file in (*FILES, "tables/", "tests/toy/"))
    assert "    sixth " in python("-m", "shared", "--help")
    both = "import sys; from shared.cli import run; sys.exit(run(['list']) or run(sys.argv[1:]))"
    printed = python("-c", both, "sixth", "table1", "--data", casme2, "--out", tmp_path / "out", "--processes", 1)
    assert "sixth: Toy; headline: table1/plain" in printed
    assert "Table 1: the toy" in printed and printed.count("4 of 4 folds") == 1
    assert (tmp_path / "out" / "sixth" / "paper" / "index.html").exists()
    python(
        "-m", "pytest", "-q", "tests/test_shape.py", "-k", "there_are_packages or sixth and not (printed or started)"
    )
