"""A tiny corpus whose clips differ in their action units."""

import pytest
from toy.corpus import HEADER, read_sheet, write_casme2, write_sheet

UNITS = {"happiness": "12", "surprise": "1+2", "disgust": "4+7+L14"}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A folder with a CASME2 of 4 people and 12 clips of three images of 8×8."""
    root = write_casme2(tmp_path_factory.mktemp("data"))
    rows = read_sheet(root)[1:]
    write_sheet(root, [HEADER, *([*row[:5], UNITS[row[6]], row[6]] for row in rows)])
    return root
