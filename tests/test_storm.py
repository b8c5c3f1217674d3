"""A row of each paper, small, on synthetic faces: killed at random moments it ends as if nothing had happened."""

import json
import os
import shutil

import pytest
from toy.left import halves, records, table
from toy.shell import python

from shared.synthetic.write import write

KILLS = int(os.environ.get("MER_KILLS", 6))
ROWS = {
    "dvasp": ("table1/Lv+Lmv+Lasp", dict(size=32, resize=36, width=8, teacher_epochs=1, epochs=2)),
    "ma2mi": ("table1/MA2MI@CASME", dict(width=8, dim=12, dit_dim=12, dit_depth=1, pretrain_epochs=2, epochs=1)),
    "mtmnet": ("table2/L_EID, L_MTM@CASME2(CK+)", dict(size=32, width=8, macro_epochs=2, pretrain_epochs=1, epochs=1)),
    "sca_au": ("table1/Res3D18 + SCA", dict(size=40, resize=48, width=8, reduced=8, epochs=1)),
    "skd_tstsan": ("table5/Mag + ECA + TSM + SKD@CASME", dict(resize=16, width=8, pretrain_iterations=4, iterations=4)),
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The corpora; of CASME II the images of seven people alone, so that a run has few folds."""
    data = write(tmp_path_factory.mktemp("drawn") / "faces", ["CASME2", "CK+", "DFEW", "EmotioNet"], size=24, workers=2)
    for person in sorted((data / "CASME2").glob("*/sub*"))[7:]:
        shutil.rmtree(person)
    return data


@pytest.mark.parametrize("package", ROWS)
def test_killed_at_random_moments_a_run_ends_with_the_same_table(package, faces, tmp_path):
    row, settings = ROWS[package]
    small = [part for item in settings.items() for part in ("--set", "=".join(map(str, item)))]
    done = python("toy.storm", package, 1, KILLS, tmp_path, row, "--data", faces, "--skip-broken", *small)
    assert done.returncode == 0, done.stderr
    print(done.stdout)  # for `MER_KILLS=30 pytest -rP`
    came = json.loads(done.stdout)
    assert set(came["codes"]) == {0}, done.stderr
    quiet = tmp_path / "quiet"
    for i in range(len(came["codes"]) - 1):
        out = tmp_path / str(i)
        assert records(out) == records(quiet) and table(out, "tables.csv") == table(quiet, "tables.csv")
        assert not halves(out)
    assert "Traceback" not in done.stderr
