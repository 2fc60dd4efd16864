import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from candle_ingestor.exchanges.markets import (
    CachedMarkets,
    DiskMarketsCache,
    Market,
    markets_by_symbol,
)
from candle_ingestor.model.symbol import Symbol

ADDRESS = "http://127.0.0.1:1/kraken"


def market(symbol: str, **more: Any) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "id": symbol.replace("/", ""),
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "type": "spot",
        "spot": True,
        "precision": {"price": 0.1, "amount": 1e-8},
        "info": {},
        **more,
    }


CACHED = CachedMarkets([market("BTC/USD"), market("ETH/USD")], 1_700_000_000_000)


@pytest.fixture
def cache(tmp_path: Path) -> DiskMarketsCache:
    return DiskMarketsCache(tmp_path / "data" / "markets_cache")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "markets_cache" / "kraken.json"


def test_markets_are_kept_between_runs(cache: DiskMarketsCache, file: Path) -> None:
    assert cache.read("kraken", ADDRESS) is None

    assert cache.write("kraken", ADDRESS, CACHED) is None

    assert DiskMarketsCache(file.parent).read("kraken", ADDRESS) == CACHED
    assert [path.name for path in file.parent.iterdir()] == ["kraken.json"]


def test_markets_of_another_address_or_exchange_are_not_those_of_this_one(
    cache: DiskMarketsCache,
) -> None:
    cache.write("kraken", ADDRESS, CACHED)

    assert cache.read("kraken", "default") is None
    assert cache.read("bitstamp", ADDRESS) is None


def test_the_newest_markets_replace_the_former(cache: DiskMarketsCache) -> None:
    cache.write("kraken", ADDRESS, CACHED)
    newer = CachedMarkets([market("SOL/USD")], 1_800_000_000_000)
    cache.write("kraken", ADDRESS, newer)

    assert cache.read("kraken", ADDRESS) == newer


BROKEN_CHANGES: tuple[dict[str, Any], ...] = (
    {"markets": None},
    {"markets": []},
    {"markets": [1]},
    {"markets": ["BTC/USD"]},
    {"markets": [{"symbol": "BTC/USD"}]},
    {"markets": [market("BTC/USD"), None]},
    {"markets": [market("BTC/USD")], "format_version": 2},
    {"markets": [market("BTC/USD")], "format_version": None},
    {"markets": [market("BTC/USD")], "fetched_ms": "soon"},
    {"markets": [market("BTC/USD")], "fetched_ms": None},
    {"markets": [market("BTC/USD")], "fetched_ms": float("inf")},
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b"[" * 100_000,
        b"{}",
        *(
            json.dumps(
                {"format_version": 1, "address": ADDRESS, "fetched_ms": 1, **change}
            ).encode()
            for change in BROKEN_CHANGES
        ),
    ],
)
def test_a_broken_file_is_no_cache_and_is_replaced(
    cache: DiskMarketsCache, file: Path, content: bytes
) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    assert cache.read("kraken", ADDRESS) is None
    assert cache.write("kraken", ADDRESS, CACHED) is None
    assert cache.read("kraken", ADDRESS) == CACHED


def test_a_cache_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = DiskMarketsCache(tmp_path / "file" / "markets")

    complaint = cache.write("kraken", ADDRESS, CACHED)

    assert complaint is not None
    assert "cannot keep the markets of kraken" in complaint
    assert cache.read("kraken", ADDRESS) is None


def test_a_full_disk_leaves_the_former_markets_and_nothing_half_written(
    cache: DiskMarketsCache, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write("kraken", ADDRESS, CACHED)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    complaint = cache.write("kraken", ADDRESS, CachedMarkets([market("SOL/USD")], 2))
    monkeypatch.undo()

    assert complaint is not None
    assert "No space left" in complaint
    assert cache.read("kraken", ADDRESS) == CACHED
    assert [path.name for path in file.parent.iterdir()] == ["kraken.json"]


def test_only_plain_spot_pairs_are_markets() -> None:
    found = markets_by_symbol(
        "kraken",
        [
            market("BTC/USD"),
            market("ETH/USD", precision=None),
            market("SOL/USD") | {"symbol": "SOL/USD:USD"},
            {"symbol": "X/Y"},
        ],
    )

    assert found == {
        Symbol("BTC", "USD"): Market("kraken", Symbol("BTC", "USD"), 0.1, 1e-8),
        Symbol("ETH", "USD"): Market("kraken", Symbol("ETH", "USD")),
    }
