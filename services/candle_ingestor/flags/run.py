"""Flags of how a command runs, and of what it prints."""

from __future__ import annotations

from absl import flags

from candle_ingestor.flags.defining import names_of

RUN = names_of(
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
