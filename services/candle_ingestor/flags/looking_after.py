"""Flags of commands that look after what is kept, and of the older service."""

from __future__ import annotations

from absl import flags

from candle_ingestor.flags.defining import names_of

VERIFY = names_of(
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
        "verify_partitions", True, "Compare the partitions with their manifest and the store."
    ),
    flags.DEFINE_bool(
        "repair",
        False,
        "Replace what differs, and bring in line what is made from it. Without it nothing is "
        "written.",
    ),
)

PRUNE = names_of(
    flags.DEFINE_string(
        "before",
        None,
        "Remove candles that open before this time, UTC, in the forms of --backfill_start_date; "
        "without it whole series are removed.",
    ),
    flags.DEFINE_bool("yes", False, "Remove without asking."),
)

QUALITY = names_of(
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

OLDER_SERVICE = names_of(
    flags.DEFINE_string(
        "tiingo_api_key", None, "Accepted and ignored: candles come from exchanges, without a key."
    ),
)
