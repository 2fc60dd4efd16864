"""Which candles of a range each exchange sends, asked on the wire."""

import json

import pytest
from asking_simulator import Asker

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


async def test_kraken_reaches_back_720_candles_whatever_since_says(ask: Asker, now_ms: int) -> None:
    for name, step_ms, since_seconds in (
        ("1", MINUTE_MS, 0),
        ("60", HOUR_MS, 1_600_000_000),
        ("1440", DAY_MS, 1_500_000_000),
    ):
        times = await ask.times(
            "kraken", f"/0/public/OHLC?pair=XXBTZUSD&interval={name}&since={since_seconds}"
        )
        oldest_ms = now_ms // step_ms * step_ms - 719 * step_ms
        assert oldest_ms <= times[0] <= oldest_ms + 50 * MINUTE_MS
        assert times[-1] == now_ms // step_ms * step_ms
        assert len(times) <= 720


async def test_kraken_since_is_exclusive_and_last_is_the_newest_closed_candle(
    ask: Asker, now_ms: int
) -> None:
    times = await ask.times("kraken", "/0/public/OHLC?pair=XBTUSD&interval=1")
    since_seconds = times[-10] // 1000
    path = f"/0/public/OHLC?pair=XBT/USD&interval=1&since={since_seconds}"
    assert await ask.times("kraken", path) == times[-9:]
    _, text = await ask.text("kraken", path)
    result = json.loads(text)["result"]
    assert set(result) == {"XXBTZUSD", "last"}
    assert result["last"] == str(times[-2] // 1000)


async def test_coinbase_takes_start_and_end_both_as_included(ask: Asker, now_ms: int) -> None:
    newest = await ask.times("coinbaseexchange", "/products/BTC-USD/candles?granularity=60")
    first, last = newest[200] // 1000, newest[100] // 1000
    path = f"/products/BTC-USD/candles?granularity=60&start={first}&end={last}"
    assert await ask.times("coinbaseexchange", path) == newest[100:201]


async def test_coinbase_sends_its_newest_300_without_both_of_start_and_end(
    ask: Asker, now_ms: int
) -> None:
    for query in ("", "&start=2024-01-01T00:00:00Z", "&end=2024-01-01T00:00:00Z"):
        times = await ask.times(
            "coinbaseexchange", f"/products/BTC-USD/candles?granularity=60{query}"
        )
        assert len(times) == 300
        assert times[0] == now_ms // MINUTE_MS * MINUTE_MS


@pytest.mark.parametrize("exchange", ["binance", "binanceus"])
async def test_binance_sends_the_oldest_from_the_start_and_else_the_newest(
    ask: Asker, exchange: str, now_ms: int
) -> None:
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1m"
    newest = await ask.times(exchange, path)
    assert len(newest) == 500
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times(exchange, f"{path}&limit=5000")) == 1000
    span = f"&startTime={newest[100]}&endTime={newest[199]}"
    assert await ask.times(exchange, path + span) == newest[100:200]
    assert await ask.times(exchange, f"{path}{span}&limit=7") == newest[100:107]
    assert await ask.times(exchange, f"{path}&endTime={newest[199]}&limit=7") == newest[193:200]


async def test_bitstamp_sends_the_oldest_of_a_range_longer_than_the_limit(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v2/ohlc/btcusd/?step=60&limit={}"
    newest = await ask.times("bitstamp", path.format(1000))
    assert len(newest) == 1000
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&start={newest[100] // 1000}&end={newest[199] // 1000}"
    assert await ask.times("bitstamp", path.format(1000) + span) == newest[100:200]
    assert await ask.times("bitstamp", path.format(7) + span) == newest[100:107]
    end = f"&end={newest[199] // 1000}"
    assert await ask.times("bitstamp", path.format(7) + end) == newest[193:200]
    without_current = await ask.times("bitstamp", path.format(9) + "&exclude_current_candle=true")
    assert without_current == newest[-10:-1]


async def test_cryptocom_excludes_start_and_end_and_sends_the_newest_of_a_longer_range(
    ask: Asker, now_ms: int
) -> None:
    path = "/exchange/v1/public/get-candlestick?instrument_name=BTC_USD&timeframe=1m"
    assert len(await ask.times("cryptocom", path)) == 25
    newest = await ask.times("cryptocom", f"{path}&count=1000")
    assert len(newest) == 300
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&start_ts={newest[100]}&end_ts={newest[199]}"
    assert await ask.times("cryptocom", f"{path}&count=300{span}") == newest[101:199]
    assert await ask.times("cryptocom", f"{path}&count=7{span}") == newest[192:199]


async def test_htx_sends_the_oldest_from_a_start_and_else_the_newest(
    ask: Asker, now_ms: int
) -> None:
    path = "/market/history/candles?symbol=btcusdt&period=1min"
    newest = await ask.times("htx", path)
    assert len(newest) == 150
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    first, last = newest[100] // 1000, newest[50] // 1000
    assert await ask.times("htx", f"{path}&from={first}&to={last}") == newest[50:101]
    assert await ask.times("htx", f"{path}&from={first}&size=7") == newest[94:101]
    assert await ask.times("htx", f"{path}&to={last}&size=7") == newest[50:57]


async def test_kucoin_sends_the_newest_1500_of_a_range_whose_ends_are_included(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v1/market/candles?symbol=BTC-USDT&type=1min"
    newest = await ask.times("kucoin", path)
    assert len(newest) == 1500
    assert newest[0] <= now_ms
    first, last = newest[200] // 1000, newest[100] // 1000
    assert await ask.times("kucoin", f"{path}&startAt={first}&endAt={last}") == newest[100:201]
    long_ago = first - 2 * 86_400
    page = await ask.times("kucoin", f"{path}&startAt={long_ago}&endAt={last}")
    assert (len(page), page[0]) == (1500, newest[100])


async def test_okx_excludes_both_ends_and_sends_the_newest_of_a_longer_range(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v5/market/candles?instId=BTC-USDT"
    assert len(await ask.times("okx", path)) == 100
    newest = await ask.times("okx", f"{path}&limit=1000")
    assert len(newest) == 300
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&before={newest[200]}&after={newest[100]}"
    assert await ask.times("okx", f"{path}{span}&limit=300") == newest[101:200]
    assert await ask.times("okx", f"{path}{span}&limit=7") == newest[101:108]
    assert await ask.times("okx", f"{path}&before={newest[200]}&limit=7") == newest[:7]


async def test_okx_has_recent_candles_on_one_path_and_all_closed_ones_on_another(
    ask: Asker, now_ms: int
) -> None:
    current_ms = now_ms // MINUTE_MS * MINUTE_MS
    oldest_ms = current_ms - 1439 * MINUTE_MS
    span = f"?instId=BTC-USDT&limit=300&before={oldest_ms - DAY_MS}&after={{}}"
    recent, history = "/api/v5/market/candles", "/api/v5/market/history-candles"
    assert await ask.times("okx", recent + span.format(oldest_ms)) == []
    reached = await ask.times("okx", recent + span.format(oldest_ms + 100 * MINUTE_MS))
    assert reached[-1] == oldest_ms
    assert len(await ask.times("okx", history + span.format(oldest_ms))) == 300
    assert (await ask.times("okx", f"{history}?instId=BTC-USDT"))[0] == current_ms - MINUTE_MS


async def test_bybit_sends_the_oldest_from_a_start_alone_and_else_the_newest(
    ask: Asker, now_ms: int
) -> None:
    path = "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1"
    newest = await ask.times("bybit", path)
    assert len(newest) == 200
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times("bybit", f"{path}&limit=5000")) == 1000
    span = f"&start={newest[100]}&end={newest[50]}"
    assert await ask.times("bybit", path + span) == newest[50:101]
    assert await ask.times("bybit", f"{path}{span}&limit=7") == newest[50:57]
    assert await ask.times("bybit", f"{path}&start={newest[100]}&limit=7") == newest[94:101]


async def test_bybit_shows_the_candle_that_holds_the_start(ask: Asker) -> None:
    path = "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1"
    newest = await ask.times("bybit", path)
    assert (await ask.times("bybit", f"{path}&start={newest[9] + 1}&limit=2"))[-1] == newest[9]


async def test_gate_takes_both_ends_as_included_and_refuses_more_than_1000(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1m"
    newest = await ask.times("gate", f"{path}&limit=1000")
    assert len(newest) == 1000
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times("gate", path)) == 100
    span = f"&from={newest[100] // 1000}&to={newest[199] // 1000}"
    assert await ask.times("gate", path + span) == newest[100:200]
    assert await ask.times("gate", f"{path}&to={newest[199] // 1000}&") == newest[100:200]
    start = now_ms // MINUTE_MS * 60 - 90_000
    assert await ask.times("gate", f"{path}&from={start}&to={start + 999 * 60}")
    status, text = await ask.text("gate", f"{path}&from={start}&to={start + 1000 * 60}")
    assert status == 400
    assert json.loads(text)["message"].startswith("Candlestick range too broad. Maximum 1000")


async def test_bitfinex_sends_the_newest_first_unless_it_is_asked_for_the_oldest(
    ask: Asker, now_ms: int
) -> None:
    path = "/v2/candles/trade:1m:tBTCUSD/hist"
    newest = await ask.times("bitfinex", f"{path}?limit=300")
    assert newest == sorted(newest, reverse=True)
    assert len(newest) == 300
    assert len(await ask.times("bitfinex", path)) == 100
    span = f"start={newest[199]}&end={newest[100]}"
    assert await ask.times("bitfinex", f"{path}?limit=300&{span}") == newest[100:200]
    assert await ask.times("bitfinex", f"{path}?limit=7&{span}") == newest[100:107]
    oldest = await ask.times("bitfinex", f"{path}?limit=7&sort=1&{span}")
    assert oldest == newest[199:192:-1]
    status, text = await ask.text("bitfinex", f"{path}?limit=10001")
    assert (status, json.loads(text)) == (500, ["error", 10020, "limit: invalid"])


async def test_mexc_sends_500_at_most_and_excludes_the_end(ask: Asker, now_ms: int) -> None:
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1m"
    newest = await ask.times("mexc", f"{path}&limit=1000")
    assert len(newest) == 500
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&startTime={newest[100]}&endTime={newest[199]}"
    assert await ask.times("mexc", path + span) == newest[100:199]
    assert await ask.times("mexc", f"{path}{span}&limit=7") == newest[100:107]


async def test_gemini_answers_all_that_it_reaches_back_to_newest_first(
    ask: Asker, now_ms: int
) -> None:
    for name, step_ms, rows in (
        ("1m", MINUTE_MS, 1440),
        ("1hr", HOUR_MS, 1488),
        ("1day", DAY_MS, 365),
    ):
        times = await ask.times("gemini", f"/v2/candles/btcusd/{name}?since=0&limit=5")
        assert times[0] == now_ms // step_ms * step_ms
        assert times == sorted(times, reverse=True)
        assert rows * 0.95 < len(times) <= rows
    assert await ask.times("gemini", "/v2/candles/BTCUSD/1m")
