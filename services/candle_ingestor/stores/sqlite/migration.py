"""Files of earlier schema versions brought to the present one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.record_json import decode_record
from candle_ingestor.stores.sqlite.ids import Ids
from candle_ingestor.stores.sqlite.records import RecordRows


def migrate_from_1(connection: apsw.Connection, record_statements: Iterable[str]) -> None:
    """Replaces the table of whole records by rows, inside the caller's transaction.

    Args:
        record_statements: what makes the tables and views of series records.

    Raises:
        RecordError: if a record is malformed; the message names the series.
    """
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT exchange, currency_pair, timeframe, record FROM candle_coverage"
    ).fetchall()
    connection.execute("DROP TABLE candle_coverage")
    for statement in record_statements:
        connection.execute(statement)
    ids, records = Ids(), RecordRows()
    for exchange, pair, timeframe, text in rows:
        try:
            series = Series(exchange, Symbol.parse(pair), Timeframe.parse(timeframe))
            record = decode_record(text, series)
        except ValueError as error:
            raise RecordError(
                f"the coverage record of {exchange} {pair} {timeframe} cannot be read: {error}"
            ) from error
        records.write(connection, ids.give(connection, series), record)


def migrate_from_2(connection: apsw.Connection, view_statements: Iterable[str]) -> None:
    """Makes the views of series records again, inside the caller's transaction.

    Args:
        view_statements: what makes them.
    """
    connection.execute("DROP VIEW candle_coverage")
    connection.execute("DROP VIEW coverage_intervals")
    for statement in view_statements:
        connection.execute(statement)
