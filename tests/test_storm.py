"""A row of each paper, small, on synthetic faces: killed at random moments it ends as if nothing had happened.

`MER_KILLS=20 pytest tests/test_storm.py -n0 -rP` kills each paper's run 20 times and prints what came of it.
"""

import json
import os

import pytest
from toy.forked import python
from toy.left import halves, records, table

KILLS = int(os.environ.get("MER_KILLS", 6))
ROWS = {  # row, the macro corpus beside CASME II, settings
    "dvasp": (
        "table1/Lv+Lmv+Lasp",
        "EmotioNet",
        dict(size=32, resize=36, width=8, teacher_depth=18, teacher_epochs=1, epochs=1),
    ),
    "ma2mi": (
        "table1/MA2MI@CASME",
        "DFEW",
        dict(width=8, dim=12, dit_dim=12, dit_depth=1, pretrain_epochs=2, epochs=1),
    ),
    "mtmnet": (
        "table2/L_EID, L_MTM@CASME2(CK+)",
        "CK+",
        dict(size=32, width=8, frames=1, batch=16, macro_frames=1, macro_epochs=2, pretrain_epochs=1, epochs=1),
    ),
    "sca_au": ("table1/Res3D18 + SCA", None, dict(size=40, resize=48, width=8, reduced=8, epochs=1)),
    "skd_tstsan": (
        "table5/Mag + ECA + TSM + SKD@CASME",
        "CK+",
        dict(resize=16, width=8, pretrain_iterations=4, iterations=2),
    ),
}


@pytest.mark.parametrize("package", ROWS)
def test_killed_at_random_moments_a_run_ends_with_the_same_table(package, with_macro, tmp_path):
    row, macro, settings = ROWS[package]
    data = with_macro(*[macro] * bool(macro))
    small = [part for item in settings.items() for part in ("--set", "=".join(map(str, item)))]
    done = python("toy.storm", package, 1, KILLS, tmp_path, row, "--data", data, "--skip-broken", *small)
    assert done.returncode == 0, done.stderr
    print(package, done.stdout)
    came = json.loads(done.stdout)
    assert set(came["codes"]) == {0}, done.stderr
    assert came["orphans"] == 0, came
    quiet = tmp_path / "quiet"
    for i in range(len(came["codes"]) - 1):
        out = tmp_path / str(i)
        assert records(out) == records(quiet) and table(out, "tables.csv") == table(quiet, "tables.csv")
        assert not halves(out)
    assert "Traceback" not in done.stderr
