"""Changes candles behind the job's back, with SQLite's own means."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random

from content import StoreContent
from market import DAY_MS
from world import World

from candle_ingestor.model.series import Series


def tamper(world: World, content: StoreContent, count: int, seed: str) -> list[str]:
    """Changes, removes or adds so many candles that a verification can find; what was done."""
    random = Random(seed)
    done: list[str] = []
    if not count or not content.series:
        return done
    with closing(sqlite3.connect(world.sqlite_path)) as connection, connection:
        ids = {
            tuple(row[1:]): row[0]
            for row in connection.execute(
                "SELECT series_id, exchange, currency_pair, timeframe FROM series"
            )
        }
        choices = [series for series in content.series if _is_found_out(world, series)]
        for _ in range(count if choices else 0):
            series = random.choice(choices)
            times = _times(world, content, series)
            if not times:
                continue
            open_ms = random.choice(times)
            key = ids[series.exchange, str(series.symbol), str(series.timeframe)]
            table = "merged_candle_rows" if series.is_merged else "exchange_candle_rows"
            where = f"WHERE series_id = {key} AND open_time_ms = {open_ms}"
            if not connection.execute(f"SELECT 1 FROM {table} {where}").fetchone():
                more = ", 1, 1" if series.is_merged else ""
                values = f"{key}, {open_ms}, 5.0, 5.0, 5.0, 5.0, 1.0{more}"
                connection.execute(f"INSERT INTO {table} VALUES ({values})")
                how = "added"
            elif random.random() < 0.5:
                connection.execute(f"DELETE FROM {table} {where}")
                how = "removed"
            else:
                connection.execute(f"UPDATE {table} SET volume = volume + 1 {where}")
                how = "changed"
            done.append(f"{series} {open_ms} {how}")
    return done


def _is_found_out(world: World, series: Series) -> bool:
    if series.is_merged:
        return True
    kind = world.sequence.kinds[series.exchange]
    market = world.sequence.markets[series.exchange, str(series.symbol)]
    has_odd_days = kind.has_odd_days and market.length_ms == DAY_MS
    reaches_all = kind.is_reach_described and kind.reach_candles is None
    return reaches_all and not has_odd_days and not market.broken


def _times(world: World, content: StoreContent, series: Series) -> list[int]:
    record = content.record(series)
    final = record.covered - record.provisional
    times = [t for s, e in final for t in range(s, e, series.timeframe.duration_ms)]
    if series.is_merged:
        return times
    market = world.sequence.markets[series.exchange, str(series.symbol)]
    return [t for t in times if t not in market.late]
