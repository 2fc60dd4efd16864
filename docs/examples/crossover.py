"""A moving-average crossover on the candles of the demo, and its chart.

Run after `./candle-ingestor demo`, in the same folder.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from candle_loader import load

FAST, SLOW, COST = 30, 240, 0.0005  # Minutes, minutes, and the part of the price a trade costs.

candles = load("data/demo/csv", "aggregated", "BTC/USD").fill_idle()
arrays = candles.to_numpy()
time, close = arrays.timestamp_ms, arrays.close  # Prices times 10 ** price_decimal_digits.

total = np.concatenate(([0], np.cumsum(close)))
fast = total[SLOW:] - total[SLOW - FAST : -FAST]  # The sum of the last FAST closes, and so on:
slow = total[SLOW:] - total[:-SLOW]  # exact, as nothing is a float yet.
time, close = time[SLOW - 1 :], close[SLOW - 1 :]

is_long = SLOW * fast > FAST * slow  # Decided at a close, held until the next one.
for gap in candles.gaps:  # Nobody trades in time that nothing is known of: out before it.
    before = np.searchsorted(time, gap.start_ms) - 1
    is_long[max(before, 0) : before + 1] = False

growth = np.where(is_long[:-1], close[1:] / close[:-1], 1.0)
trades = np.diff(is_long.astype(np.int64), prepend=0) != 0
worth = np.cumprod(np.concatenate(([1.0], growth)) * (1 - COST * trades))

dates, scale = time.astype("datetime64[ms]"), 10**candles.price_decimal_digits
figure, (above, below) = plt.subplots(2, sharex=True, figsize=(9, 6), layout="constrained")
above.plot(dates, close / scale, linewidth=0.7, label="close")
above.plot(dates, fast / FAST / scale, linewidth=1, label=f"mean of {FAST}")
above.plot(dates, slow / SLOW / scale, linewidth=1, label=f"mean of {SLOW}")
above.legend()
below.plot(dates, worth, label=f"crossover, {trades.sum()} trades")
below.plot(dates, close / close[0], linewidth=0.7, label="bought and held")
below.legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "crossover.png", dpi=100)
print(f"{len(time)} closes, {trades.sum()} trades, worth {worth[-1]:.4f} of 1")
