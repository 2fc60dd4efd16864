"""Rows of an answer sorted into trades and rejected rows."""

from typing import Any

import polars as pl

from candle_ingestor.exchanges.trades import TRADES, RawTrades
from candle_ingestor.ingest.sources.trade_sift import SiftedTrades, sift_trades
from candle_ingestor.model.intervals import IntervalSet

MS = 1_000_000
Row = tuple[int | None, float | None, str | None, str | None]


def sifted(*rows: Row) -> SiftedTrades:
    frame = pl.DataFrame(list(rows), schema=TRADES, orient="row")
    return sift_trades(RawTrades(frame, [list(row) for row in rows]))


def prices(found: SiftedTrades) -> list[float]:
    return found.trades["price"].to_list()


def whys(found: SiftedTrades) -> list[tuple[str, Any]]:
    return [(row.why, row.raw) for row in found.rejected]


def test_trades_ascend_by_time_and_then_by_id_whatever_their_order() -> None:
    found = sifted(
        (5 * MS, 4.0, "1", "12"), (1 * MS, 1.0, "1", "9"), (5 * MS, 3.0, "1", "11"),
        (1 * MS, 2.0, "1", "10"),
    )  # fmt: skip
    assert prices(found) == [1.0, 2.0, 3.0, 4.0]
    assert found.rejected == ()


def test_trades_of_one_time_without_ids_stay_in_the_order_they_came_in() -> None:
    found = sifted((1 * MS, 3.0, "1", None), (1 * MS, 1.0, "1", None), (1 * MS, 2.0, "1", None))
    assert prices(found) == [3.0, 1.0, 2.0]


def test_one_trade_shown_twice_is_one() -> None:
    found = sifted((1 * MS, 1.0, "1", "9"), (1 * MS, 1.0, "1", "9"), (2 * MS, 2.0, "1", "10"))
    assert prices(found) == [1.0, 2.0]
    assert found.row_count == 3


def test_two_equal_trades_without_ids_are_two() -> None:
    found = sifted((1 * MS, 1.0, "1", None), (1 * MS, 1.0, "1", None))
    assert prices(found) == [1.0, 1.0]
    assert found.trades["key"].n_unique() == 2


def test_different_trades_of_one_id_are_rejected_with_their_raw_rows() -> None:
    found = sifted((1 * MS, 1.0, "1", "9"), (1 * MS, 1.5, "1", "9"), (2 * MS, 2.0, "1", "10"))
    assert prices(found) == [2.0]
    assert whys(found) == [
        ("another trade of this id differs", [1 * MS, 1.0, "1", "9"]),
        ("another trade of this id differs", [1 * MS, 1.5, "1", "9"]),
    ]
    assert found.rejected_spans == IntervalSet.of(1, 2)


def test_a_row_that_lacks_a_field_or_has_no_price_is_rejected_at_its_time() -> None:
    found = sifted((1 * MS, None, "1", "1"), (3 * MS, 0.0, "1", "2"), (5 * MS, 1.0, None, "3"))
    assert prices(found) == []
    assert len(found.rejected) == 3
    assert found.rejected_spans == IntervalSet([(1, 2), (3, 4), (5, 6)])


def test_a_row_without_a_time_may_stand_for_any_time_of_its_answer() -> None:
    found = sifted((1 * MS, 1.0, "1", "1"), (None, 1.0, "1", "2"), (9 * MS, 1.0, "1", "3"))
    assert prices(found) == [1.0, 1.0]
    assert found.rejected_spans == IntervalSet.of(1, 10)


def test_an_amount_of_nothing_counts_for_its_price() -> None:
    assert prices(sifted((1 * MS, 1.0, "0.00000000", "1"))) == [1.0]
