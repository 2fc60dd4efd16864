// The bars of one level: undone from their differences, and laid on a grid without holes.

/** What a level holds, by row: times in seconds, prices, volume, spread, and each source's close. */
async function readBars(head, level, spreadScale) {
  const columns = columnsOf(await unpack(level.block), level.rows);
  const [step, close, open, high, low, volume, spread, ...closes] = columns.length
    ? columns
    : Array.from({ length: 7 + head.exchanges.length }, () => new Float64Array(0));
  const priceUnit = 10 ** -level.digits;
  const volumeUnit = 10 ** -level.volumeDigits;
  const times = new Float64Array(level.rows);
  let index = level.first / level.length;
  let before = 0;
  for (let i = 0; i < level.rows; i++) {
    index += step[i];
    times[i] = index * level.length;
    const here = close[i] + before;
    open[i] += before;
    close[i] = here;
    high[i] += Math.max(open[i], here);
    low[i] = Math.min(open[i], here) - low[i];
    const reference = Number.isNaN(here) ? before : here;
    for (const one of closes) one[i] = (one[i] + reference) * priceUnit;
    before = reference;
  }
  for (const column of [open, high, low, close]) {
    for (let i = 0; i < column.length; i++) column[i] *= priceUnit;
  }
  for (let i = 0; i < level.rows; i++) {
    volume[i] *= volumeUnit;
    spread[i] /= spreadScale;
  }
  return { times, open, high, low, close, volume, spread, closes };
}

/** The first row at or after a time. */
function rowAt(bars, time) {
  let low = 0;
  let high = bars.times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars.times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

const UNSEEN = {
  color: "transparent",
  lineColor: "transparent",
  topColor: "transparent",
  bottomColor: "transparent",
};

/**
 * A span of a level as the chart library takes it: a point for every bar of the grid, since a time
 * that is left out would take no room and hide a gap.
 */
function pointsOf(bars, level, [from, to], colours, longestHoleSeconds) {
  const points = { candles: [], volume: [], spread: [], closes: bars.closes.map(() => []) };
  const lines = [...points.closes, points.spread];
  const lastSeen = lines.map(() => null);
  let row = rowAt(bars, from);
  for (let time = from; time < to; time += level.length) {
    if (bars.times[row] !== time) {
      for (const series of [points.candles, points.volume, points.spread, ...points.closes]) {
        series.push({ time });
      }
      continue;
    }
    const [open, close] = [bars.open[row], bars.close[row]];
    if (Number.isNaN(close)) {
      points.candles.push({ time });
      points.volume.push({ time });
    } else {
      points.candles.push({ time, open, high: bars.high[row], low: bars.low[row], close });
      const color = close < open ? colours.volumeDown : colours.volumeUp;
      points.volume.push({ time, value: bars.volume[row], color });
    }
    [...bars.closes, bars.spread].forEach((column, i) => {
      const value = column[row];
      const point = Number.isNaN(value) ? { time } : { time, value };
      lines[i].push(point);
      if (Number.isNaN(value)) return;
      const last = lastSeen[i];
      // The line to the next point would run straight through what is not known.
      if (last && time - last.time > Math.max(level.length, longestHoleSeconds)) Object.assign(last, UNSEEN);
      lastSeen[i] = point;
    });
    row++;
  }
  return points;
}
