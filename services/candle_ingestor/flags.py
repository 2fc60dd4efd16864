"""Every flag of the job, once."""

from __future__ import annotations

from typing import Any

from absl import flags

from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.timeframe import MINUTES_PER_WEEK, Timeframe

GROUPS: dict[str, list[str]] = {}
"""Flag names by the heading that help and docs list them under."""


def _group(heading: str, *holders: flags.FlagHolder[Any]) -> None:
    GROUPS[heading] = [holder.name for holder in holders]


class MinutesParser(flags.IntegerParser):
    """Reads a length in minutes, written as `60`, `60m`, `1h` or `1d`."""

    syntactic_help = "a length such as 1, 60, 1m, 4h or 1d"

    def convert(self, argument: str | int) -> int:
        """The minutes; raises ValueError for what is no length."""
        if isinstance(argument, str) and not argument.removeprefix("-").isdecimal():
            try:
                return Timeframe.parse(argument).minutes
            except ValueError as error:
                raise ValueError(f"{error}; or a number of minutes") from error
        return Timeframe(int(argument)).minutes


_group(
    "Run",
    flags.DEFINE_string(
        "config",
        None,
        'TOML file of flags, such as symbols = "BTC/USD". A flag of the command line wins over '
        "it, and so does a variable of the environment.",
    ),
    flags.DEFINE_enum(
        "run_mode",
        "wet",
        ["wet", "dry"],
        "wet runs the job; dry tests the "
        "configuration, asks for one real page an exchange and writes nothing.",
    ),
    flags.DEFINE_float(
        "max_run_seconds",
        0,
        "After this long the run stops cleanly, and the next "
        "one goes on from there; 0 is no limit.",
        lower_bound=0,
    ),
    flags.DEFINE_bool(
        "fail_fast",
        False,
        "Stop at the first ticker that fails, in place of going on with the others.",
    ),
    flags.DEFINE_bool(
        "fail_when_degraded",
        False,
        "Exit with code 1 when an exchange could not be used or left pages unanswered, even where "
        "every symbol met its minimum.",
    ),
    flags.DEFINE_integer("dry_run_limit", 2, "How many symbols a dry run looks at.", lower_bound=1),
    flags.DEFINE_enum(
        "report",
        "short",
        ["short", "full", "none"],
        "What a run prints at its end: short is a line an exchange, and one a symbol where "
        "something is missing or failed; full adds every symbol on every exchange; none leaves it "
        "to the log and --run_report_path.",
    ),
    flags.DEFINE_string("run_report_path", None, "Also write the run report as JSON to this file."),
    flags.DEFINE_string(
        "download_list_path",
        None,
        "Write a CSV list of the history files that have what the exchanges no longer answer.",
    ),
    flags.DEFINE_enum(
        "format",
        "text",
        ["text", "json", "csv", "html"],
        "How what is asked for is printed: for people, or for programs; html is a page with "
        "charts, of the command report only.",
    ),
    flags.DEFINE_integer("newest", 20, "How many runs are listed.", lower_bound=1),
    flags.DEFINE_string(
        "output", None, "Write what is asked for to this file, whole or not at all."
    ),
    flags.DEFINE_bool(
        "open", False, "Open the page in the browser of this machine when it is written."
    ),
    flags.DEFINE_bool(
        "findings",
        False,
        "Also tell what the quality watch finds; it reads all candles, some two seconds a million. "
        "A page has the findings in any case.",
    ),
    flags.DEFINE_float(
        "fail_below",
        None,
        "Exit with code 1 when a symbol is less complete than this, in percent.",
        lower_bound=0,
        upper_bound=100,
    ),
    flags.DEFINE_bool(
        "by_exchange",
        False,
        "Also tell of each exchange's own series; --exchanges names some of them, and without a "
        "value it is the same as this.",
    ),
    flags.DEFINE_enum(
        "progress",
        "auto",
        ["auto", "on", "off"],
        "How far a command is: bars on a terminal, and a log line every 30 seconds elsewhere; off "
        "shows neither.",
    ),
    flags.DEFINE_string(
        "now",
        None,
        "Start the job's clock at this UTC time, as "
        "2023-03-15T00:00:00Z or in ms since the epoch, for replays and tests; the default is "
        "the machine's.",
    ),
)
_group(
    "Symbols",
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
_group(
    "Exchanges",
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
_group(
    "Candles",
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
_group(
    "Archives",
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
_group(
    "Merging",
    flags.DEFINE_integer(
        "min_exchanges_required",
        0,
        "How many exchanges must cover a minute for it to be merged; 0 is all given.",
        lower_bound=0,
    ),
    flags.DEFINE_float(
        "max_price_deviation_pct",
        5,
        "With three or more candles at a minute, one "
        "with a price further than this from the median is left out.",
        lower_bound=0,
    ),
    flags.DEFINE_enum(
        "high_low",
        "weighted",
        ["weighted", "extremes"],
        "How merged high and low are made: weighted by volume, or the highest and lowest.",
    ),
    flags.DEFINE_list(
        "quote_aliases",
        [],
        "Pairs such as USD:USDT, which let an exchange without "
        "BTC/USD serve BTC/USDT in its place.",
    ),
    flags.DEFINE_bool(
        "allow_price_only_sources",
        False,
        "Let a source of closing prices, such as coingecko, be merged with exchanges that have "
        "real candles. It counts as one of them, with volume 0.",
    ),
)
_group(
    "Resampling",
    flags.DEFINE_list(
        "derived_timeframes",
        [],
        "Coarser candles to be put together from the merged ones, stored and exported as series "
        "of their own, such as 5m,15m,1h,4h,1d,1w. With --export_exchange_candles each exchange's "
        "own series have them, too. What was once made is kept in step until prune removes it.",
    ),
    flags.DEFINE_float(
        "derived_min_coverage_pct",
        100,
        "How much of a coarser candle's time must be known. A candle of less than all of its time "
        "is marked as partial in the store and in the manifest.",
        lower_bound=0,
        upper_bound=100,
    ),
)
_group(
    "Store",
    flags.DEFINE_enum(
        "store",
        "auto",
        ["auto", "sqlite", "influxdb"],
        "Where candles are kept; auto is influxdb when a token for it is set, sqlite otherwise.",
    ),
    flags.DEFINE_string("sqlite_path", "data/candles.sqlite", "The SQLite file."),
    flags.DEFINE_string(
        "influxdb_url",
        None,
        "Address of the InfluxDB 2; the default is $INFLUXDB_URL, or http://localhost:8086.",
    ),
    flags.DEFINE_string(
        "influxdb_token",
        None,
        "Its token; the default is $INFLUXDB_TOKEN. Prefer the variable: flags are seen in "
        "process lists.",
    ),
    flags.DEFINE_string(
        "influxdb_ca_file",
        None,
        "PEM file of the authority that signed its certificate, for https://; the default is "
        "$INFLUXDB_CA_FILE, or the authorities that this machine trusts.",
    ),
    flags.DEFINE_string("influxdb_org", None, "Its organization; the default is $INFLUXDB_ORG."),
    flags.DEFINE_string(
        "influxdb_bucket", None, "The bucket; the default is $INFLUXDB_BUCKET, or candles."
    ),
    flags.DEFINE_bool("create_bucket", False, "Make the bucket if it is not there."),
    flags.DEFINE_string(
        "service_identifier", "candle_ingestor", "Tag of this service's state in the store."
    ),
)
_group(
    "Export",
    flags.DEFINE_bool("export_csv", True, "Write monthly CSV partitions at the end of a run."),
    flags.DEFINE_string("data_root", "data/csv", "Folder of the partitions."),
    flags.DEFINE_bool("export_exchange_candles", False, "Also export each exchange's own candles."),
    flags.DEFINE_integer(
        "price_decimal_digits",
        None,
        "Digits of exported prices; the default is the finest of the markets' own.",
        lower_bound=0,
        upper_bound=MOST_DIGITS,
    ),
    flags.DEFINE_integer(
        "volume_decimal_digits",
        None,
        "Digits of exported volumes; the default is the finest of the markets' own.",
        lower_bound=0,
        upper_bound=MOST_DIGITS,
    ),
    flags.DEFINE_bool(
        "restate", False, "Allow months that are marked complete to be written anew."
    ),
)
_group(
    "Verify",
    flags.DEFINE_integer(
        "sample",
        200,
        "How many candle lengths, drawn at random over all series, are asked for again and "
        "compared. A span (--backfill_start_date, --days, --backfill_end_date) is compared whole, "
        "unless this is given with it.",
        lower_bound=1,
    ),
    flags.DEFINE_integer(
        "seed",
        None,
        "Draws the sample of an earlier verify again, which printed this number; without it every "
        "verify draws another one.",
    ),
    flags.DEFINE_bool(
        "verify_exchanges", True, "Ask the exchanges again; without it no network is needed."
    ),
    flags.DEFINE_bool(
        "verify_merged", True, "Make the merged series again from the stored exchange candles."
    ),
    flags.DEFINE_bool(
        "verify_partitions", True, "Compare the CSV partitions with their manifest and the store."
    ),
    flags.DEFINE_bool(
        "repair",
        False,
        "Replace what differs, and bring in line what is made from it. Without it nothing is "
        "written.",
    ),
)
_group(
    "Prune",
    flags.DEFINE_string(
        "before",
        None,
        "Remove candles that open before this time, UTC, in the forms of --backfill_start_date; "
        "without it whole series are removed.",
    ),
    flags.DEFINE_bool("yes", False, "Remove without asking."),
)
_group(
    "Quality",
    flags.DEFINE_list(
        "quality_rules",
        [],
        "Which rules candles are looked at by, such as price_spike,suspected_outage; without a "
        "value all of docs/quality.md.",
    ),
    flags.DEFINE_float(
        "quality_sensitivity",
        1,
        "What learnt thresholds are divided by: 2 finds what is half as far from usual.",
        lower_bound=0.01,
    ),
    flags.DEFINE_list(
        "quality_thresholds",
        [],
        "Fixed thresholds in place of learnt ones, in the unit of the rule, such as "
        "suspected_outage:30,price_spike:500.",
    ),
    flags.DEFINE_bool("fail_on_findings", False, "Exit with code 1 when anything is found."),
)
_group(
    "Of the older service",
    flags.DEFINE_string(
        "tiingo_api_key", None, "Accepted and ignored: candles come from exchanges, without a key."
    ),
)

FLAGS = flags.FLAGS
