// Candles, volume, exchanges and spread of one head. The finest length that fits is shown.

// In candles of the head's own length: so long a market may be silent.
const LONGEST_HOLE = 12;
const RANGE_SETTLES_MS = 120;

class CandleChart {
  /**
   * `whenShown(chart)` is called whenever something else is seen: another range or another length.
   */
  constructor(element, head, spreadScale, colours, whenShown) {
    this.element = element;
    this.head = head;
    this.spreadScale = spreadScale;
    this.colours = colours;
    this.whenShown = whenShown;
    this.bars = new Map();
    this.hidden = new Set();
    this.isHeld = false;
    this.chart = LightweightCharts.createChart(element, this.options());
    this.addSeries();
    this.bands = new Bands(this.chart, colours);
    this.bands.gaps = head.gaps;
    this.bands.findings = head.findings;
    this.candles.attachPrimitive(this.bands);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.rangeChanged());
  }

  options() {
    const { colours } = this;
    return {
      autoSize: true,
      layout: {
        background: { type: "solid", color: colours.paper },
        textColor: colours.muted,
        fontFamily: "system-ui, sans-serif",
        panes: { separatorColor: colours.line, enableResize: true },
        attributionLogo: true,
      },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
      kineticScroll: { touch: false, mouse: false },
      localization: { timeFormatter: (time) => `${timeText(time)} UTC` },
      rightPriceScale: { borderColor: colours.line },
      timeScale: {
        borderColor: colours.line,
        timeVisible: true,
        secondsVisible: false,
        minBarSpacing: 0.01,
      },
    };
  }

  addSeries() {
    const { chart, colours, head } = this;
    const digits = Math.max(head.levels[0].digits, 0);
    const priceFormat = { type: "price", precision: digits, minMove: 10 ** -digits };
    this.volume = chart.addSeries(LightweightCharts.HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.candles = chart.addSeries(LightweightCharts.CandlestickSeries, {
      upColor: colours.up,
      downColor: colours.down,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
      borderVisible: false,
      priceLineVisible: false,
      priceFormat,
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.2 } });
    this.closes = head.exchanges.map((exchange, i) =>
      chart.addSeries(LightweightCharts.LineSeries, {
        color: colours.exchange(i),
        lineWidth: 1,
        lastValueVisible: false,
        priceLineVisible: false,
        crosshairMarkerVisible: false,
        priceFormat,
        // One bad print would squeeze all candles into a line.
        autoscaleInfoProvider: () => null,
      }),
    );
    this.spread = null;
    if (head.exchanges.length > 1) {
      this.spread = chart.addSeries(
        LightweightCharts.AreaSeries,
        {
          lineColor: colours.accent,
          topColor: colours.accentSoft,
          bottomColor: "transparent",
          lineWidth: 1,
          lastValueVisible: false,
          priceLineVisible: false,
          priceFormat: { type: "custom", minMove: 0.1, formatter: (bp) => `${bp.toFixed(1)} bp` },
        },
        1,
      );
      const [prices, spreads] = chart.panes();
      prices.setStretchFactor(4);
      spreads.setStretchFactor(1);
    }
    this.markers = LightweightCharts.createSeriesMarkers(this.candles, []);
  }

  remove() {
    this.chart.remove();
    this.isRemoved = true;
  }

  /** All the time that there is, to the end of the newest candle. */
  get whole() {
    const { levels } = this.head;
    const [coarsest] = levels[levels.length - 1].spans;
    const [newest] = levels[0].spans.slice(-1);
    return coarsest ? [Math.max(coarsest[0], this.head.start), newest[1]] : [0, 0];
  }

  /** The time that is seen, in seconds; beyond the candles, too. */
  get seen() {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!this.level || !range) return this.whole;
    const [first] = this.span;
    return [
      first + (range.from + 0.5) * this.level.length,
      first + (range.to + 0.5) * this.level.length,
    ];
  }

  get mostBars() {
    return Math.max(this.element.clientWidth, 420);
  }

  /** Shows some time in the finest length that has it and fits. */
  async show(from, to) {
    const shortest = this.head.length * 10;
    const middle = (from + to) / 2;
    const half = Math.max(to - from, shortest) / 2;
    await this.showLevel(...this.finest(middle - half, middle + half), middle - half, middle + half);
  }

  /** The level and the span of it to show a range in. What is shown already is kept more easily. */
  finest(from, to) {
    const [start, end] = this.whole;
    const known = Math.max(Math.min(to, end) - Math.max(from, start), 1);
    for (const level of this.head.levels) {
      for (const span of level.spans) {
        const isShown = this.level === level && this.span[0] === span[0];
        const share = (Math.min(to, span[1]) - Math.max(from, span[0])) / known;
        const bars = (to - from) / level.length;
        if (share >= (isShown ? 0.6 : 0.95) && bars <= this.mostBars * (isShown ? 1.6 : 1)) {
          return [level, span];
        }
      }
    }
    const coarsest = this.head.levels[this.head.levels.length - 1];
    return [coarsest, coarsest.spans[0] ?? this.whole];
  }

  async showLevel(level, span, from, to) {
    const asked = (this.asked = {});
    if (!this.bars.has(level)) {
      this.bars.set(level, await readBars(this.head, level, this.spreadScale));
    }
    if (this.isRemoved || asked !== this.asked) return;
    if (this.level !== level || this.span[0] !== span[0]) this.draw(level, span);
    const { length } = level;
    this.chart.timeScale().setVisibleLogicalRange({
      from: (from - span[0]) / length - 0.5,
      to: (to - span[0]) / length - 0.5,
    });
    // The library moves when it next draws, and what it shows is told after that.
    this.rangeChanged();
  }

  draw(level, span) {
    this.level = level;
    this.span = span;
    this.bands.first = span[0];
    this.bands.length = level.length;
    const longestHoleSeconds = LONGEST_HOLE * this.head.levels[0].length;
    const points = pointsOf(this.bars.get(level), level, span, this.colours, longestHoleSeconds);
    this.candles.setData(points.candles);
    this.volume.setData(points.volume);
    this.closes.forEach((series, i) => series.setData(points.closes[i]));
    this.spread?.setData(points.spread);
    this.drawMarks();
  }

  /** A mark for each bar and kind, however many minutes of it are marked. */
  drawMarks() {
    const { level, span } = this;
    const found = new Map();
    for (const [time, kind] of this.hidden.has("marks") ? [] : this.head.marks) {
      if (time < span[0] || time >= span[1]) continue;
      const bar = time - (time % level.length);
      const isExcluded = kind === "excluded";
      found.set(`${bar} ${kind}`, {
        time: bar,
        position: isExcluded ? "aboveBar" : "belowBar",
        shape: isExcluded ? "arrowDown" : "circle",
        color: isExcluded ? this.colours.excluded : this.colours.disagreeing,
        size: 0.7,
      });
    }
    this.markers.setMarkers([...found.values()].sort((one, other) => one.time - other.time));
  }

  /** While a pointer drags, the length stays: other bars under the pointer would make it jump. */
  hold(isHeld) {
    this.isHeld = isHeld;
    if (!isHeld) this.rangeChanged();
  }

  rangeChanged() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settle(), RANGE_SETTLES_MS);
  }

  async settle() {
    if (this.isHeld || this.isRemoved || !this.level) return;
    const [from, to] = this.seen;
    const [level, span] = this.finest(from, to);
    if (level !== this.level || span[0] !== this.span[0]) await this.showLevel(level, span, from, to);
    else this.whenShown(this);
  }

  /** Zooms about the middle: a factor below 1 is closer. */
  zoom(factor) {
    const [from, to] = this.seen;
    const [start, end] = this.whole;
    const half = Math.min(((to - from) / 2) * factor, (end - start) * 0.75);
    const middle = (from + to) / 2;
    return this.show(middle - half, middle + half);
  }

  /** Moves by a share of what is seen, no further than the candles. */
  pan(share) {
    const [from, to] = this.seen;
    const [start, end] = this.whole;
    const middle = Math.min(Math.max((from + to) / 2 + (to - from) * share, start), end);
    return this.show(middle - (to - from) / 2, middle + (to - from) / 2);
  }

  showAll() {
    return this.show(...this.whole);
  }

  /** The newest so many seconds. */
  showNewest(seconds) {
    const [start, end] = this.whole;
    return this.show(Math.max(end - seconds, start), end);
  }

  setShown(name, isShown) {
    if (isShown) this.hidden.delete(name);
    else this.hidden.add(name);
    const at = this.head.exchanges.indexOf(name);
    if (name === "gaps") this.bands.show(isShown);
    else if (name === "marks") this.drawMarks();
    else if (name === "spread") this.spread?.applyOptions({ visible: isShown });
    else this.closes[at].applyOptions({ visible: isShown });
  }

  /** What is known of the bar under the pointer, and of what is marked there. */
  at(param) {
    if (!param.point || param.logical === undefined || !this.level) return null;
    const time = this.span[0] + Math.round(param.logical) * this.level.length;
    const bars = this.bars.get(this.level);
    const row = rowAt(bars, time);
    const { gaps, findings } = this.bands.areShown
      ? this.bands.at(param.point.x)
      : { gaps: [], findings: [] };
    return {
      time,
      bars,
      row: bars.times[row] === time ? row : null,
      marks: this.head.marks.filter(([at]) => at >= time && at < time + this.level.length),
      gaps,
      findings,
    };
  }
}
