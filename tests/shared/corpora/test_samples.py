"""The sample table: rows by their ids."""

import pandas as pd
import pytest

from shared.corpora.samples import COLUMNS, aligned, sample_table


def make(*names: str) -> pd.DataFrame:
    return sample_table(
        [tuple({"sample": name, "onset": i, "emotion": "fear"}.get(c) for c in COLUMNS) for i, name in enumerate(names)]
    )


def test_aligned_has_the_rows_of_the_ids_in_their_order():
    samples = make("C/d", "C/a", "C/c", "C/b").iloc[[2, 0, 3, 1]]
    onsets = {row["sample"]: row["onset"] for row in samples.to_dict("records")}
    found = aligned(samples, ("C/c", "C/d", "C/a"))
    assert found["sample"].tolist() == ["C/c", "C/d", "C/a"] and list(found.index) == [0, 1, 2]
    assert found["onset"].tolist() == [onsets[i] for i in ("C/c", "C/d", "C/a")] == [2, 0, 1]
    assert (found.dtypes == samples.dtypes).all()
    assert aligned(samples, ()).empty


def test_aligned_names_an_id_that_is_not_in_the_table():
    with pytest.raises(ValueError, match="sample C/x of 2 is not among the 2 of the sample table"):
        aligned(make("C/a", "C/b"), ["C/a", "C/x"])
    with pytest.raises(ValueError, match="sample C/x and 1 more of 3 is not"):
        aligned(make("C/a", "C/b"), ["C/x", "C/a", "C/y"])
