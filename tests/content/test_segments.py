"""What an SMS costs, as providers bill it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_triggers.content import segments
from oscar_triggers.content.segments import BASIC, EXTENSION, Encoding, count

GSM = st.text(st.sampled_from(sorted(BASIC | EXTENSION)), max_size=700)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "needed"),
    [
        ("", Encoding.GSM7, 0, 0),
        ("a" * 160, Encoding.GSM7, 160, 1),
        ("a" * 161, Encoding.GSM7, 161, 2),
        ("a" * 306, Encoding.GSM7, 306, 2),
        ("a" * 307, Encoding.GSM7, 307, 3),
        ("€" * 80, Encoding.GSM7, 160, 1),
        ("я" * 70, Encoding.UCS2, 70, 1),
        ("я" * 71, Encoding.UCS2, 71, 2),
        ("я" * 134, Encoding.UCS2, 134, 2),
        ("я" * 135, Encoding.UCS2, 135, 3),
        ("🍵" * 35, Encoding.UCS2, 70, 1),
        ("a" * 159 + "“", Encoding.UCS2, 160, 3),
    ],
)
def test_a_text_costs_what_the_standard_says(
    text: str, encoding: Encoding, units: int, needed: int
) -> None:
    found = count(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, needed)


def test_an_escape_is_never_cut_so_that_a_segment_may_stay_unfilled() -> None:
    # 153 + 153 units would be two segments, but the € at the seam goes over to the second.
    text = "a" * 152 + "€" + "a" * 152
    assert count(text).units == 306
    assert count(text).segments == 3


def test_a_pair_is_never_cut_either() -> None:
    text = "я" * 66 + "🍵" + "я" * 66
    assert count(text).units == 134
    assert count(text).segments == 3


def test_the_alphabet_has_127_characters_beside_its_escape() -> None:
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10
    assert not BASIC & EXTENSION
    # Lower-case c with a cedilla is not in it; the upper-case one is.
    assert "Ç" in BASIC
    assert "ç" not in BASIC


@given(GSM)
def test_what_is_in_the_alphabet_is_written_in_it(text: str) -> None:
    found = count(text)
    assert found.encoding is Encoding.GSM7
    assert found.units == len(text) + sum(one in EXTENSION for one in text)
    assert segments.strange(text) == []


@given(ANYTHING)
def test_segments_are_enough_and_none_is_wasted(text: str) -> None:
    found = count(text)
    alone, joined = segments.ALONE[found.encoding], segments.JOINED[found.encoding]
    if found.units <= alone:
        assert found.segments == min(found.units, 1)
        assert found.left == alone - found.units
        return
    # A seam leaves at most one unit open.
    least = -(-found.units // joined)
    most = -(-found.units // (joined - 1))
    assert least <= found.segments <= most
    assert 0 <= found.left < joined
    assert count(text + "a").segments <= found.segments + 1


@given(ANYTHING)
def test_units_of_ucs2_are_those_of_utf_16(text: str) -> None:
    found = count(text + "я")
    assert found.encoding is Encoding.UCS2
    assert found.units == len((text + "я").encode("utf-16-le")) // 2


@given(ANYTHING)
def test_the_characters_that_cost_are_named_at_their_first_place(text: str) -> None:
    for one in segments.strange(text):
        assert text[one.first - 1] == one.character
        assert text.count(one.character) == one.times
        assert one.name


@given(ANYTHING)
def test_lookalikes_are_in_the_alphabet(text: str) -> None:
    named = segments.strange(text)
    if all(one.lookalike is not None for one in named):
        assert count(segments.replaced(text)).encoding is Encoding.GSM7


@pytest.mark.parametrize(
    ("character", "plain"),
    [
        ("“", '"'),
        ("’", "'"),
        ("–", "-"),
        ("…", "..."),
        ("\u00a0", " "),
        ("ç", "c"),
        ("№", "No"),
        ("\u200b", ""),
        ("я", None),
        ("🍵", None),
    ],
)
def test_a_lookalike_is_offered_where_there_is_one(character: str, plain: str | None) -> None:
    assert segments.lookalike(character) == plain


def test_what_counts_twice_is_named_too() -> None:
    [euro] = segments.doubled("5 € or 6 €")
    assert (euro.character, euro.times, euro.first) == ("€", 2, 3)
    assert euro.name == "EURO SIGN"
