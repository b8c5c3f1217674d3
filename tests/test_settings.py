"""`--set` on rows of the papers: none belies a row's name, and none that is accepted ends without a table."""

import dataclasses
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from tiny import options, paper_of, session_of

from shared.cli import main, papers
from shared.errors import UserError
from shared.runs.config import changed


@pytest.mark.parametrize("package", papers())
def test_no_setting_makes_one_row_of_a_table_another(package, tmp_path):
    """Each setting of each row, given to each other row of its table: it changes nothing, not all, or is refused."""
    paper, same = paper_of(package), 0
    usual = session_of(paper, ["--out", str(tmp_path), "--scale", "smoke"])
    own = [[row for row in table.rows if not row.records] for table in paper.tables]
    for row, other in (pair for rows in own for pair in permutations(rows, 2)):
        for key in other.changes.keys() - row.changes.keys():
            session = dataclasses.replace(usual, overrides={key: ""})
            try:
                session.base = dataclasses.replace(usual.base, **{key: other.changes[key]})
                configs = [changed(session.base, r.changes) for r in (row, other)]
            except UserError:
                continue
            if configs[0] == configs[1] and row.output == other.output:
                assert "tells row" in session.misnamed(row), (row.name, other.name, key)
                same += 1
    assert same > 3


@pytest.mark.parametrize(
    ("package", "name", "settings"),
    [
        ("skd_tstsan", "table2", "skd=false"),
        ("mtmnet", "table4/ours@CASME2", "frames=1 pretrain_epochs=1 lambda_tri=0 lambda_adv=0 lambda_lir=0"),
    ],
)
def test_a_row_without_a_part_of_its_method_ends_in_a_table(
    package, name, settings, four_people, tmp_path, capsys, monkeypatch
):
    """The yardstick's flow, which takes longer than the rest, is drawn at random."""
    random = np.random.default_rng(0)
    monkeypatch.setattr("shared.runs.yardstick.flow_on_grid", lambda pairs: random.random((len(pairs), 160)))
    _, *given = options(package, four_people, tmp_path, *settings.split())
    with pytest.raises(SystemExit) as ended:
        main(paper_of(package), [name, *given, "--skip-broken", "--processes", "1"])
    assert ended.value.code == 0, capsys.readouterr().err
    (folder,) = (tmp_path / package).iterdir()
    table = pd.read_csv(folder / "tables.csv").dropna(subset="value")
    assert len(table) > 4 and (folder / "index.html").exists()
