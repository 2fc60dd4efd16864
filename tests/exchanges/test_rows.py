from typing import Any

import pytest

from candle_ingestor.exchanges.rows import shown_raw


@pytest.mark.parametrize("raw", [[1, "2", None], {"t": 1}, "text", None, {1: {2, 3}}])
def test_any_raw_row_can_be_shown(raw: Any) -> None:
    assert shown_raw(raw)
    assert len(shown_raw(["x" * 5000])) <= 301
