"""Names on the command line choose tables, rows and columns."""

import pytest
from toy.experiments import PAPER

from shared.errors import UserError


def chosen(*names):
    return [(t.name, [r.name for r in rows], [c.name for c in t.columns]) for t, rows in PAPER.choose(list(names))]


def test_columns_are_named_by_their_beginning():
    name, rows, columns = chosen("table1")[0]
    first, *others = columns
    assert chosen(f"table1/{rows[0]}@{first}") == [(name, rows[:1], [first])]
    assert chosen(f"table1@{first[:2]}") == [(name, rows, [c for c in columns if c.startswith(first[:2])])]
    assert chosen(*(f"table1@{c}" for c in reversed(columns))) == [(name, rows, columns)]


def test_an_unknown_column_is_named():
    with pytest.raises(UserError, match="column of table1 'none'"):
        PAPER.choose(["table1@none"])
