"""Flags of what is made of fetched candles, and of where it is kept."""

from __future__ import annotations

from absl import flags

from candle_ingestor.flags.defining import names_of
from candle_ingestor.model.decimals import MOST_DIGITS
from candle_ingestor.model.export_forms import ExportFormat, Fill

MERGING = names_of(
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

RESAMPLING = names_of(
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
STORE = names_of(
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

EXPORT = names_of(
    flags.DEFINE_bool("export_csv", True, "Write monthly partitions at the end of a run."),
    flags.DEFINE_enum(
        "export_format",
        ExportFormat.CSV.value,
        [*ExportFormat, "both"],
        "What the partitions are: CSV files, one Parquet table in the folder parquet of "
        "--data_root, or both.",
    ),
    flags.DEFINE_enum(
        "fill",
        None,
        list(Fill),
        "What stands in partitions for a minute that is known to have had no trade: no row, or a "
        "flat bar at the last close with volume 0. The default is what the folder has, none in "
        "one that is written anew.",
    ),
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
    flags.DEFINE_string(
        "restate_reason",
        None,
        "Why --restate is given, for the history in the manifest; the default says what differs.",
    ),
)
