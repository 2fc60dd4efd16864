"""Texts as messages show them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.texts import joined, quoted, shortened


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
