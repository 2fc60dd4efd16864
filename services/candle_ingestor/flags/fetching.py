"""Flags of what is fetched, and from where."""

from __future__ import annotations

from absl import flags

from candle_ingestor.flags.defining import MinutesParser, names_of
from candle_ingestor.model.timeframe import MINUTES_PER_WEEK

SYMBOLS = names_of(
    flags.DEFINE_string(
        "symbols", None, "Comma-separated symbols, such as BTC/USD,ETH/USD, in place of Redis."
    ),
    flags.DEFINE_string(
        "symbols_file", None, "JSON, TOML, CSV or TXT file of symbols, in place of Redis."
    ),
    flags.DEFINE_list(
        "tier",
        [],
        "Only the symbols of these tiers, such as TIER1,TIER2: of the list of symbols for a run, "
        "and of what runs remember of them for a report.",
    ),
    flags.DEFINE_bool(
        "strict_symbols",
        False,
        "Exit with code 1 when a symbol of the list is left out, be it that it names none or that "
        "too few exchanges list it.",
    ),
    flags.DEFINE_string(
        "redis_url",
        None,
        "Address of the Redis that holds the symbols, in place of --redis_host and --redis_port: "
        "redis://HOST:PORT, or rediss://USER:PASSWORD@HOST:PORT/DATABASE with TLS; the default is "
        "$REDIS_URL. Prefer the variable where it holds a password: flags are seen in process "
        "lists.",
    ),
    flags.DEFINE_string(
        "redis_host",
        None,
        "Host of the Redis that holds the symbols; the default is $REDIS_HOST, or localhost.",
    ),
    flags.DEFINE_integer(
        "redis_port",
        None,
        "Its port; the default is $REDIS_PORT, or 6379.",
        lower_bound=1,
        upper_bound=65535,
    ),
    flags.DEFINE_string(
        "redis_password",
        None,
        "Its password, where the URL has none; the default is $REDIS_PASSWORD. "
        "Prefer the variable: flags are seen in process lists.",
    ),
    flags.DEFINE_string(
        "redis_ca_file",
        None,
        "PEM file of the authority that signed its certificate, for rediss://; the default is "
        "$REDIS_CA_FILE, or the authorities that this machine trusts.",
    ),
    flags.DEFINE_string(
        "redis_key_crypto_symbols",
        None,
        "The key with the symbols: a JSON list, "
        "a list, a set or a sorted set; the default is $REDIS_KEY_CRYPTO_SYMBOLS, or "
        "top_cryptocurrencies.",
    ),
)

EXCHANGES = names_of(
    flags.DEFINE_list(
        "exchanges",
        ["binanceus", "coinbaseexchange", "bitstamp"],
        "ccxt exchange ids, the primary one first; or coingecko, for daily closing prices.",
    ),
    flags.DEFINE_string(
        "exchange_settings_file",
        None,
        "TOML file with a table an exchange: "
        "base_url, requests_per_minute (0 is no pacing), request_delay_ms, options, and ids of "
        "coingecko. API keys come from variables such as $BINANCE__APIKEY and $BINANCE__SECRET.",
    ),
    flags.DEFINE_float(
        "api_call_delay_seconds",
        0,
        "Added to ccxt's own delay between two requests to an exchange.",
        lower_bound=0,
    ),
    flags.DEFINE_float(
        "request_timeout_seconds", 10, "How long one request may take.", lower_bound=0.1
    ),
    flags.DEFINE_float(
        "markets_cache_hours",
        24,
        "How long an exchange's list of markets is kept on disk; 0 asks every time.",
        lower_bound=0,
    ),
)

CANDLES = names_of(
    flags.DEFINE(
        MinutesParser(lower_bound=1, upper_bound=MINUTES_PER_WEEK),
        "candle_granularity_minutes",
        1,
        "Length of the candles, in minutes or as 1m, 4h or 1d. What works on stored candles also "
        "takes 1w.",
    ),
    flags.DEFINE_string(
        "backfill_start_date",
        "1_year_ago",
        "Start of the history, UTC: YYYY-MM-DD, YYYY-MM-DDTHH:MM, today, yesterday, N_days_ago, "
        "N_weeks_ago, N_months_ago, N_years_ago; skip for no history.",
    ),
    flags.DEFINE_integer(
        "days",
        None,
        "Short for a history of so many days: --days=30 is --backfill_start_date=30_days_ago.",
        lower_bound=1,
    ),
    flags.DEFINE_string(
        "backfill_end_date",
        None,
        "The first time left out, in the same forms: a bounded download, without catch-up.",
    ),
    flags.DEFINE_float(
        "catch_up_initial_days",
        7,
        "How far back catch-up goes; what is older is backfill.",
        lower_bound=0,
    ),
    flags.DEFINE_float(
        "settle_seconds", 5, "How long after its close a candle is believed.", lower_bound=0
    ),
    flags.DEFINE_integer(
        "refetch_last_candles",
        2,
        "How many candle lengths after its close a candle is read again, since exchanges still "
        "revise it.",
        lower_bound=0,
    ),
    flags.DEFINE_bool(
        "build_from_trades",
        False,
        "Build candles that an exchange's candle endpoint does not reach from its trades. It takes "
        "many requests; a dry run says how many, and for how long.",
    ),
    flags.DEFINE_integer(
        "refetch_days",
        None,
        "Read the newest so many days of what is wanted again, also what is known; it stays known "
        "meanwhile, and what differs is replaced. Only an exchange's candle endpoint is asked, as "
        "far as it reaches; what came from files or trades before that stays.",
        lower_bound=1,
    ),
    flags.DEFINE_bool("force", False, "The same for all that is wanted."),
)

ARCHIVES = names_of(
    flags.DEFINE_string(
        "archive_dir",
        None,
        "A folder of history files of exchanges. A run takes from them what the exchange's candle "
        "endpoint no longer reaches.",
    ),
    flags.DEFINE_string(
        "archive_columns",
        None,
        "What the columns of CSV files in a form of their own are, in their order: "
        "time:s,open,high,low,close,volume, with _ for any other column. The unit of time is s, "
        "ms, us or ns. Goes with --archive_exchange, --archive_symbol and --archive_timeframe; "
        "files of Kraken and Binance need none of it.",
    ),
    flags.DEFINE_string(
        "archive_exchange",
        None,
        "Whose candles files of --archive_columns hold, a ccxt exchange id; or those in the form "
        "of Binance, the default being binance. Kraken's files are always Kraken's.",
    ),
    flags.DEFINE_string("archive_symbol", None, "Their symbol, such as BTC/USD."),
    flags.DEFINE(
        MinutesParser(lower_bound=1, upper_bound=1440),
        "archive_timeframe",
        None,
        "The length of their candles, in minutes or as 1m, 4h or 1d.",
    ),
    flags.DEFINE_bool(
        "skip_bad_rows",
        False,
        "Use a file that holds rows which are no candles for the rest of it; the minutes of these "
        "rows stay open as rejected. Without it such a file is refused whole.",
    ),
    flags.DEFINE_enum(
        "prefer",
        "endpoint",
        ["endpoint", "archive"],
        "Which of two candles of a minute is kept where a file and what the exchange's candle "
        "endpoint answered differ.",
    ),
)
