"""Printed digits against all predictions of a few samples, worked by hand, and what they say of the papers."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.cli import run
from shared.report import digits
from shared.report.printed import POSITIVES, printed_numbers
from shared.runs.paper import Column, Row, Table
from shared.tasks import TASKS

ROOT = Path(__file__).parents[3]
TARGETS = {(6,): (0,) * 6, (4, 3): (0,) * 4 + (1,) * 3, (2, 2, 1): (0, 0, 1, 1, 2)}


def metric_by_hand(name: str, target, pred) -> Fraction:
    """A metric from the predictions, one by one."""
    if name == "accuracy":
        return Fraction(sum(t == p for t, p in zip(target, pred, strict=True)), len(target))
    each = []
    for c in range(max(target) + 1):
        hits = sum(t == p == c for t, p in zip(target, pred, strict=True))
        each.append(Fraction(2 * hits, target.count(c) + pred.count(c)) if hits else Fraction(0))
    return each[1] if name == "f1_binary" else sum(each) / len(each)


def written(value: Fraction, decimals: int, rounding: str) -> str:
    exact = Context(prec=40).divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(exact.quantize(Decimal(1).scaleb(-decimals), rounding=rounding))


@pytest.mark.parametrize(
    ("counts", "metric"),
    [((6,), "accuracy"), ((4, 3), "accuracy"), ((4, 3), "f1_binary"), ((4, 3), "f1_macro"), ((2, 2, 1), "uf1")],
)
@pytest.mark.parametrize(("decimals", "scale"), [(2, 1), (3, 1), (1, 100)])
def test_agrees_with_all_predictions_of_a_few_samples(counts, metric, decimals, scale):
    target = TARGETS[counts]
    labels = range(max(2, len(counts)))
    all_values = {metric_by_hand(metric, target, pred) for pred in product(labels, repeat=len(target))}
    possible = digits.values(counts, metric)
    assert possible.tolist() == pytest.approx(sorted(map(float, all_values)), abs=1e-12)
    rounded = {written(v * scale, decimals, how) for v in all_values for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    truncated = {written(v * scale, decimals, ROUND_DOWN) for v in all_values}
    for number in range(scale * 10**decimals + 1):
        text = f"{number / 10**decimals:.{decimals}f}"
        expected = (*["rounded"] * (text in rounded), *["truncated"] * (text in truncated))
        assert digits.readings(text, possible, scale) == expected, text


def test_by_hand():
    accuracy = digits.values((234,), "accuracy")
    assert digits.readings("74.36", accuracy, 100) == ("rounded",)  # 174 / 234 = .743589…
    assert digits.readings("74.35", accuracy, 100) == ("truncated",)
    assert digits.readings("74.78", accuracy, 100) == ("truncated",)  # 175 / 234 = .747863…
    sixteen = digits.values((227, 16), "f1_binary")
    assert digits.readings(".4318", sixteen) == ()  # 19/44 = 2·19 / (16 + 72), but 19 of 16 cannot be found
    assert digits.readings(".4444", sixteen) == ("rounded", "truncated")  # 4/9 = 2·8 / (16 + 20)


def test_by_chance_counts_the_numbers_around():
    """Of 0.00 to 1.00, all within 50 units of .50, four samples allow 0, .25, .5, .75 and 1."""
    assert digits.by_chance("0.50", digits.values((4,), "accuracy")) == pytest.approx(5 / 101)


def test_chance_is_that_of_numbers_in_the_printed_unit(tmp_path):
    """Per cent: of 74.50 to 75.50 those that k / N rounds to, one by one."""
    (N,) = TASKS["casme2-5"].expected.values()
    fits = {f"{100 * k / N:.2f}" for k in range(N + 1)}
    chance = sum(f"{75 + i / 100:.2f}" in fits for i in range(-50, 51)) / 101
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("row,column,value,source\nours,Acc,75.00,run\n")
    column = Column("Acc", "casme2-5", "accuracy", 100)
    paper = SimpleNamespace(folder=tmp_path, tables=(Table("t", "", (column,), (Row("ours"),)),))
    (line,) = [line for line in digits.describe_digits(paper) if "(the task)" in line]
    assert line.startswith(f"  N = {N} (the task): ") and f"({chance:.1f} by chance)" in line and chance > 0


def own(package: str, *tables: int) -> dict[str, set[str]]:
    """Column → what the authors' own rows print in it."""
    found: dict[str, set[str]] = {}
    for number in tables:
        for (row, column), (text, source) in printed_numbers(ROOT / package, f"table{number}").items():
            if source == "run" and row != POSITIVES:
                found.setdefault(column, set()).add(text)
    return found


def how(texts: set[str], N: int, scale: float = 1) -> dict[str, tuple[str, ...]]:
    return {text: digits.readings(text, digits.values((N,), "accuracy"), scale) for text in texts}


def test_accuracies_tell_the_corpora_of_ma2mi():
    columns = own("ma2mi", 1, 2, 3, 4)
    assert all("rounded" in r for r in how(columns["CASME II Acc (%)"], 249, 100).values())
    assert not any(how(columns["CASME II Acc (%)"], 246, 100).values())
    assert all("rounded" in r for r in how(columns["SAMM Acc (%)"], 136, 100).values())
    mmew = how(columns["MMEW Acc (%)"], 234, 100)
    assert {text for text, r in mmew.items() if r == ("truncated",)} == {"74.35", "74.78"}
    assert all(mmew.values())


def test_accuracies_tell_two_corpora_of_mtmnet():
    columns = own("mtmnet", 2)
    casme2, smic = how(columns["CASME2(CK+) Acc"], 249), how(columns["SMIC(CK+) Acc"], 164)
    assert (len(casme2), sum("rounded" in r for r in casme2.values())) == (11, 8)
    assert (len(smic), sum("rounded" in r for r in smic.values())) == (11, 11)


def test_f1_of_sca_are_not_pooled():
    positives = {
        1: dict(AU1=26, AU2=21, AU4=129, AU12=34, AU15=16, AU17=25),
        2: dict(AU1=23, AU4=69, AU9=40, AU14=23),
        3: dict(AU2=18, AU4=23, AU7=46, AU12=30),
    }
    samples, cells = {1: 243, 2: 124, 3: 101}, []
    for table, units in positives.items():
        columns = own("sca_au", table, table + 3)
        for unit, P in units.items():
            possible = digits.values((samples[table] - P, P), "f1_binary")
            cells += [digits.readings(text, possible) for text in columns[unit] if float(text)]
    assert len(cells) == 192
    assert sum("rounded" not in r for r in cells) == 103
    assert sum("truncated" not in r for r in cells) == 118
    assert sum(not r for r in cells) == 86


def test_the_command_says_it(capsys):
    assert run(["digits", "sca_au"]) == 0
    out = capsys.readouterr().out
    assert "AU15 (f1_binary of casme2-au8), printed values: 11\n  samples 227 + 16: 4 rounded" in out
    assert "neither: 0.4318, 0.4684" in out and "AVG" not in out
