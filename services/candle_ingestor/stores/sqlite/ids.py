"""The small integers that stand for names in the rows of the SQLite store."""

from __future__ import annotations

from collections.abc import Collection

import apsw
import polars as pl

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.series import Series


class Ids:
    """Ids of series and of lists of exchanges, remembered once they are known."""

    def __init__(self) -> None:
        self._series: dict[Series, int] = {}
        self._exchange_sets: dict[str, int] = {}

    def forget(self) -> None:
        """Ids given in a transaction that did not happen are no ids."""
        self._series.clear()
        self._exchange_sets.clear()

    def find(self, connection: apsw.Connection, series: Series) -> int | None:
        """The id of a series; None if it has none yet."""
        if series not in self._series:
            row = connection.execute(
                "SELECT series_id FROM series"
                " WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
                _names(series),
            ).fetchone()
            if row is None:
                return None
            self._series[series] = row[0]
        return self._series[series]

    def find_all(
        self, connection: apsw.Connection, series: Collection[Series]
    ) -> dict[Series, int]:
        """The ids of those of the series that have one, in one statement at most."""
        if not self._series.keys() >= set(series):
            by_names = {_names(one): one for one in series}
            rows = connection.execute(
                "SELECT series_id, exchange, currency_pair, timeframe FROM series"
            )
            for series_id, *names in rows:
                one = by_names.get(tuple(names))
                if one is not None:
                    self._series[one] = series_id
        return {one: self._series[one] for one in series if one in self._series}

    def give(self, connection: apsw.Connection, series: Series) -> int:
        """The id of a series, made if it has none; inside the caller's transaction."""
        found = self.find(connection, series)
        if found is not None:
            return found
        connection.execute(
            "INSERT INTO series (exchange, currency_pair, timeframe) VALUES (?, ?, ?)",
            _names(series),
        )
        return self.give(connection, series)

    def with_exchange_set_ids(
        self, connection: apsw.Connection, candles: pl.DataFrame
    ) -> pl.DataFrame:
        """Merged candles with the column `exchange_set_id`; inside the caller's transaction."""
        texts = candles["source_exchanges"].to_list()
        for text in set(texts) - self._exchange_sets.keys():
            connection.execute(
                "INSERT OR IGNORE INTO exchange_sets (source_exchanges) VALUES (?)", (text,)
            )
            self._exchange_sets[text] = connection.execute(
                "SELECT exchange_set_id FROM exchange_sets WHERE source_exchanges = ?", (text,)
            ).get
        ids = [self._exchange_sets[text] for text in texts]
        return candles.hstack([pl.Series("exchange_set_id", ids, dtype=pl.Int64())])


def with_exchange_sets(connection: apsw.Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that have an `exchange_set_id`, as merged candles."""
    sets = dict(connection.execute("SELECT exchange_set_id, source_exchanges FROM exchange_sets"))
    # Replacing by no set at all, Polars would forget the type that it is told.
    sets = sets or {0: ""}
    return rows.with_columns(
        pl.col("exchange_set_id")
        .replace_strict(list(sets.keys()), list(sets.values()), return_dtype=pl.String())
        .alias("source_exchanges")
    ).select(*(name for name in rows.columns if name == "series_id"), *MERGED_CANDLES)


def _names(series: Series) -> tuple[str, ...]:
    return series.exchange, str(series.symbol), str(series.timeframe)
