"""What the demo sets where its user says nothing."""

from __future__ import annotations

from pathlib import Path

from absl.testing import flagsaver

from candle_ingestor.commands.demo import DemoFlags
from candle_ingestor.commands.demo_settings import SETTINGS
from candle_ingestor.flags import FLAGS


def test_what_the_user_says_wins_also_where_another_flag_says_it() -> None:
    with flagsaver.flagsaver():
        FLAGS(["candle-ingestor", "--symbols_file=list.txt", "--exchanges=kraken", "--days=1"])
        values = DemoFlags(FLAGS, Path("exchanges.toml"))

        assert (values.symbols, values.symbols_file) == (None, "list.txt")
        assert values.exchanges == ["kraken"]
        assert values.days == 1
        assert values.data_root == SETTINGS["data_root"]
        assert values.exchange_settings_file == "exchanges.toml"
