"""What freqtrade itself reads of a data folder, as JSON. Run by the Python of its environment."""

import json
import sys
from pathlib import Path

from freqtrade.data.history import load_pair_history
from freqtrade.data.history.datahandlers import get_datahandler
from freqtrade.enums import CandleType


def main() -> None:
    folder = Path(sys.argv[1])
    handler = get_datahandler(folder, "feather")
    available = handler.ohlcv_get_available_data(folder, "spot")
    rows = {}
    for pair, timeframe, _ in available:
        frame = load_pair_history(
            pair,
            timeframe,
            folder,
            fill_up_missing=False,
            drop_incomplete=False,
            data_format="feather",
            candle_type=CandleType.SPOT,
        )
        times = frame["date"].astype("int64") // (10**6 if "ns" in str(frame["date"].dtype) else 1)
        values = frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
        rows[f"{pair} {timeframe}"] = [
            [int(time), *row] for time, row in zip(times, values, strict=True)
        ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
