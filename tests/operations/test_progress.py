import io

from rich.console import Console

from candle_ingestor.operations.progress import NoProgress, RunProgress
from candle_ingestor.operations.progress_bars import ProgressBars


def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120, legacy_windows=False)


def shown(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def run(progress: RunProgress) -> None:
    with progress as bars:
        bars.expect("kraken", 100)
        bars.expect("bitstamp", 50)
        bars.advance("kraken", 40)
        bars.expect("kraken", 20)
        bars.advance("bitstamp", 50)
        bars.advance("kraken", 80)


def test_there_is_a_bar_an_exchange_and_one_for_all() -> None:
    screen = console()
    run(ProgressBars(screen))

    text = shown(screen)
    for part in ("kraken", "bitstamp", "all", "120/120", "50/50", "170/170", "candles/s"):
        assert part in text


def test_an_advance_of_an_exchange_nobody_expected_is_shown_all_the_same() -> None:
    screen = console()
    with ProgressBars(screen) as bars:
        bars.advance("kraken", 5)

    assert "kraken" in shown(screen)


def test_the_terminal_is_given_back_when_the_run_breaks() -> None:
    screen = console()
    try:
        with ProgressBars(screen) as bars:
            bars.expect("kraken", 1)
            raise KeyError("broken")
    except KeyError:
        pass

    assert "\x1b[?25h" in shown(screen)  # the cursor is visible again


def test_no_progress_shows_nothing() -> None:
    screen = console()
    run(NoProgress())

    assert shown(screen) == ""
