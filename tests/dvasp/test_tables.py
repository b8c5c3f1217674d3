from importlib.resources import files

import pandas as pd
import pytest


@pytest.mark.parametrize(("number", "rows", "aus"), [(1, 3, 8), (2, 14, 8), (3, 14, 4), (4, 8, 8)])
def test_printed_averages_are_the_means_of_the_printed_units(number, rows, aus):
    """A slip of one cell in the third digit would show in most rows: means agree to the printed rounding."""
    table = pd.read_csv(files("dvasp") / f"tables/table{number}.csv")
    table = table.pivot(index="row", columns="column", values="value")
    assert table.shape == (rows, aus + 1) and not table.isna().any(axis=None)
    assert (table.drop(columns="AVG").mean(axis=1) - table["AVG"]).abs().max() < 0.00075


def test_a_row_that_is_printed_twice_is_the_same_in_both_tables():
    two, four = (pd.read_csv(files("dvasp") / f"tables/table{n}.csv").set_index(["row", "column"]) for n in (2, 4))
    shared = four.index.intersection(two.index)
    assert len(shared) == 36
    assert four.loc[shared].equals(two.loc[shared])
