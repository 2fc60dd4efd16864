"""Texts as messages show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.texts import (
    did_you_mean,
    joined,
    percent,
    quoted,
    share,
    shortened,
    some_of,
)


@given(st.text(), st.integers(1, 50))
def test_a_text_is_shown_on_one_line_and_no_longer_than_asked_for(text: str, longest: int) -> None:
    shown = shortened(text, longest)

    assert len(shown.splitlines()) <= 1
    assert len(shown.removesuffix("…")) <= longest


def test_what_was_cut_off_leaves_an_ellipsis() -> None:
    assert shortened("one two  three", 7) == "one two…"
    assert shortened("one\ntwo", 7) == "one two"
    assert quoted("one two three", 7) == "'one two…'"


def test_clauses_are_set_apart_also_after_a_question() -> None:
    assert joined(["not on kraken", "did you mean ETH/USD?", "or add one"]) == (
        "not on kraken; did you mean ETH/USD? or add one"
    )


@given(st.text(max_size=40))
def test_a_quoted_text_is_shown_as_it_is(text: str) -> None:
    assert quoted(text) == repr(text)


def test_of_many_words_the_first_are_named() -> None:
    assert some_of(["a", "b"], 2) == "a, b"
    assert some_of(["a", "b", "c"], 2, "; ") == "a; b and 1 more"


def test_what_may_have_been_meant_is_asked_for() -> None:
    assert did_you_mean("simbols", ["symbols", "days"], prefix="--") == "did you mean --symbols?"
    assert did_you_mean("x", ["symbols"], "see the list") == "see the list"


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.0, "12 %"), (1.25, "1.2 %"), (0.05, "0.05 %"), (0.0, "0 %"), (1900.0, "1,900 %")],
)
def test_percentages_are_short(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 9, "0 %"), (1, 1000, "less than 1 %"), (999, 1000, "99 %"), (7, 7, "100 %")],
)
def test_only_all_of_it_is_a_hundred_percent(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text
