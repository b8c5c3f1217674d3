"""Command lines as a person gives them, in processes of their own, and what such processes meet."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_path(*folders: Path) -> str:
    """PYTHONPATH with these folders first."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": python_path(ROOT, ROOT / "tests")}


def copy_repository(target: Path) -> None:
    """Copy the repository, without what was made in it."""

    def made(folder: str, names: list[str]) -> list[str]:
        here = {"runs", "prediction", "build"} if Path(folder) == ROOT else set()
        return [name for name in names if name.startswith(".") or name in {"__pycache__", "oracles"} | here]

    shutil.copytree(ROOT, target, ignore=made)


def python(*arguments, **how) -> subprocess.CompletedProcess:
    """Run `python -m arguments` to its end."""
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, **how)


@contextmanager
def no_file_beyond(size: int):
    """Here and in processes started within, a write that makes a file larger than `size` bytes fails: a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
