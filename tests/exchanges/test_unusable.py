"""Exchanges whose candles cannot be merged are refused in words."""

import pytest

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.habits import HABITS, ExchangeHabits, RowLayout, VolumeUnit
from candle_ingestor.exchanges.unusable import refuse_unusable, why_unusable

BASE_VOLUME_LAST = RowLayout((0, 1, 2, 3, 4, 7), 1000)


@pytest.mark.parametrize(
    ("unit", "words"),
    [(VolumeUnit.QUOTE, "in the quote currency"), (VolumeUnit.CONTRACTS, "in contracts")],
)
def test_volumes_that_are_no_base_volumes_are_of_no_use(unit: VolumeUnit, words: str) -> None:
    habits = ExchangeHabits("other", 100, volume_unit=unit)

    assert why_unusable(habits) == (
        f"counts volume {words}, and its rows do not carry the base volume that merging needs"
    )


def test_a_row_that_carries_the_base_volume_too_makes_them_of_use() -> None:
    habits = ExchangeHabits("other", 100, volume_unit=VolumeUnit.QUOTE, row_layout=BASE_VOLUME_LAST)

    assert habits.has_base_volumes
    assert why_unusable(habits) is None


def test_the_refusal_says_what_why_and_what_to_do() -> None:
    with pytest.raises(ConfigurationError) as refused:
        refuse_unusable(["kraken", "btse", "cex"])

    assert str(refused.value) == (
        "--exchanges: btse counts volume in the quote currency, and its rows do not carry the "
        "base volume that merging needs; leave btse out (docs/exchanges.md tells what works)"
    )


@pytest.mark.parametrize("exchange", ["cex", "ndax", "zebpay"])
def test_a_flaw_is_told_after_the_exchanges_name(exchange: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{exchange} (has|is) .*; leave {exchange} out"):
        refuse_unusable([exchange])


def test_what_is_simulated_or_unknown_is_not_refused() -> None:
    refuse_unusable(["kraken", "gate", "bitvavo", "nobody"])
    refused = [exchange for exchange, habits in HABITS.items() if why_unusable(habits)]
    assert refused == ["btse", "cex", "ndax", "zebpay"]
