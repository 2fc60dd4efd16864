"""The rules of a merged series, as stored and compared (rule M10)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_ingestor.model.merge_rules import HighLow, MergeRules

RULES = MergeRules(("binance", "kraken", "coinbaseexchange"), 2, quote_aliases=(("USD", "USDT"),))

some_rules = st.lists(
    st.sampled_from(["binance", "bitstamp", "coinbaseexchange", "kraken"]), min_size=1, unique=True
).flatmap(
    lambda exchanges: st.builds(
        MergeRules,
        exchanges=st.just(tuple(exchanges)),
        min_exchanges=st.integers(1, len(exchanges)),
        max_price_deviation_pct=st.integers(0, 10**9).map(lambda millionths: millionths / 1e6),
        high_low=st.sampled_from(HighLow),
        quote_aliases=st.sampled_from([(), (("USD", "USDT"),), (("USD", "USDT"), ("EUR", "USD"))]),
    )
)


@given(some_rules)
def test_rules_survive_the_store(rules: MergeRules) -> None:
    assert MergeRules.from_json(json.loads(json.dumps(rules.to_json()))) == rules


@given(some_rules, some_rules)
def test_only_equal_rules_have_no_differences(older: MergeRules, newer: MergeRules) -> None:
    assert (older.differences(newer) == []) == (older == newer)


def test_differences_say_what_was_and_what_is() -> None:
    newer = replace(
        RULES,
        exchanges=("binance", "kraken", "bitstamp"),
        min_exchanges=3,
        max_price_deviation_pct=2.5,
        high_low=HighLow.EXTREMES,
        quote_aliases=(),
    )
    assert RULES.differences(newer) == [
        "exchanges: binance,kraken,coinbaseexchange -> binance,kraken,bitstamp",
        "min_exchanges: 2 -> 3",
        "max_price_deviation_pct: 5.0 -> 2.5",
        "high_low: weighted -> extremes",
        "quote_aliases: USD:USDT -> none",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_exchanges": 0}, "min_exchanges must be from 1 to 3"),
        ({"min_exchanges": 4}, "min_exchanges must be from 1 to 3"),
        ({"exchanges": ()}, "exchanges must be some and distinct"),
        ({"exchanges": ("kraken", "kraken")}, "exchanges must be some and distinct"),
        ({"max_price_deviation_pct": -1.0}, "max_price_deviation_pct must be from 0"),
        ({"max_price_deviation_pct": float("nan")}, "max_price_deviation_pct must be from 0"),
        ({"max_price_deviation_pct": 1e-300}, "max_price_deviation_pct must be from 0"),
    ],
)
def test_impossible_rules_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RULES, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"exchanges": "kraken"},
        {"exchanges": None},
        {"high_low": "highest"},
        {"quote_aliases": [["USD"]]},
        {"min_exchanges": "many"},
    ],
)
def test_rules_that_are_none_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the rules of a merged series"):
        MergeRules.from_json({**RULES.to_json(), **changes})


def test_rules_with_a_value_missing_are_named() -> None:
    values = RULES.to_json()
    del values["high_low"]
    with pytest.raises(ValueError, match="high_low"):
        MergeRules.from_json(values)
