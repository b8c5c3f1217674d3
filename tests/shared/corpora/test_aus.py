"""The AU parser: the strings met in the corpora, worked by hand; and strings composed from a grammar."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.corpora.aus import parse

PRINTED = {
    4: (4,),
    12.0: (12,),
    "4": (4,),
    " 12 ": (12,),
    "4+7+L10": (4, 7, 10),
    "R12": (12,),
    "17+2+1": (1, 2, 17),
    "12A": (12,),
    "L12A+25": (12, 25),
    "A12+A7": (7, 12),
    "A/L12": (12,),
    "4A/B": (4,),
    "ref(7B)+43C": (7, 43),
    "(R6 or R12)+R15": (6, 12, 15),
    "R14A or 17A or 24A": (14, 17, 24),
    "B18+25": (18, 25),
    "R14+17+soft focus": (14, 17),
    "12+15 ": (12, 15),
    "4，7": (4, 7),
    "1＋2": (1, 2),
    "AU1+AU2": (1, 2),
    "12/14": (12, 14),
    "4, 9": (4, 9),
    "l4+r9": (4, 9),
    "6?+12": (6, 12),
    "12 or 14?": (12, 14),
    "": (),
    None: (),
    "?": (),
    "0": (),
    "/": (),
    float("nan"): (),
}


@pytest.mark.parametrize(("cell", "units"), PRINTED.items(), ids=repr)
def test_strings_met_in_the_corpora(cell, units):
    assert parse(cell).aus() == units


@pytest.mark.parametrize(
    ("cell", "firm"),
    {
        "(R6 or R12)+R15": (15,),
        "R14A or 17A or 24A": (),
        "12/14+4": (4,),
        "A/L12": (12,),
        "4A/B": (4,),
        "R12 or L12": (12,),
        "12 or 4+12": (12,),
        "6?": (6,),
        "ref(7B)+43C": (7, 43),
        "12/14?+1": (1,),
    }.items(),
)
def test_alternatives_left_out(cell, firm):
    assert parse(cell).firm == set(firm)


def test_only_as_an_alternative():
    assert parse("(R6 or R12)+R15").undecided() == (6, 12)
    assert parse("6 or 12+6").undecided() == (12,)


@pytest.mark.parametrize(
    ("cell", "unread"),
    {
        "R14+17+soft focus": ("soft focus",),
        "abc": ("abc",),
        "146+2": ("146",),
        "4+7": (),
        "?": (),
        "4+x+7": ("x",),
        "4A7": ("4A7",),
        "1.5": ("1.5",),
    }.items(),
)
def test_what_is_not_understood_is_returned(cell, unread):
    assert parse(cell).unread == unread


units = st.integers(1, 98)
codes = st.builds(
    lambda side, gap, unit, level: (f"{side}{gap}{unit}{level}", unit),
    st.sampled_from(["", "L", "R", "A", "B", "l", "A/L", "L/R"]),
    st.sampled_from(["", " "]),
    units,
    st.sampled_from(["", "A", "B", "C", "D", "E", "a", "A/B"]),
)
choices = st.builds(
    lambda members, word, bracket: (bracket.format(word.join(text for text, _ in members)), [u for _, u in members]),
    st.lists(codes, min_size=2, max_size=3),
    st.sampled_from([" or ", "/", " OR "]),
    st.sampled_from(["{}", "({})"]),
)


joins = st.sampled_from(["+", ", ", "，", " + "])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), codes, choices), min_size=1, max_size=6), joins)
def test_composed_strings(parts, join):
    texts, firm, either = [], set(), set()
    for plain, (code, unit), (choice, members) in parts:
        texts.append(code if plain else choice)
        if plain or len(set(members)) == 1:
            firm.add(unit if plain else members[0])
        else:
            either |= set(members)
    coding = parse(join.join(texts))
    assert coding.firm == firm
    assert coding.aus() == tuple(sorted(firm | either))
    assert coding.undecided() == tuple(sorted(either - firm))
    assert not coding.unread


@settings(deadline=None)
@given(st.text(alphabet="0123456789ABLRabcor+/?(), ，.refAU-\n\t", max_size=30) | st.text(max_size=20))
def test_any_text_is_read_or_reported(text):
    coding = parse(text)
    assert all(0 < unit < 99 for unit in coding.aus())
    printed = {int(number) for number in re.findall(r"\d+", text, re.ASCII)}
    assert set(coding.aus()) <= printed
    reported = {int(number) for piece in coding.unread for number in re.findall(r"\d+", piece, re.ASCII)}
    assert printed - {0} <= set(coding.aus()) | reported
