// Gaps and findings, drawn behind the candles: a primitive of the chart library.

const REASONS = {
  not_fetched: "not fetched yet",
  fetch_failed: "the exchange did not answer",
  beyond_reach: "beyond what the exchange's candle endpoint reaches",
  not_listed_yet: "the market was not listed yet",
  rejected: "the exchange's rows were no candles",
  below_minimum: "fewer exchanges know it than the minimum",
};

const NARROWEST_PX = 3;

class Bands {
  constructor(chart, colours) {
    this.chart = chart;
    this.colours = colours;
    this.first = 0;
    this.length = 60;
    this.gaps = [];
    this.findings = [];
    this.areShown = true;
    this.views = [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.draw(target) }) }];
  }

  attached({ requestUpdate }) {
    this.requestUpdate = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  show(areShown) {
    this.areShown = areShown;
    this.requestUpdate?.();
  }

  /** Where a time is, in pixels of the chart. */
  xOf(time) {
    const scale = this.chart.timeScale();
    const zero = scale.logicalToCoordinate(0);
    if (zero === null) return null;
    const spacing = (scale.logicalToCoordinate(1000) - zero) / 1000;
    return zero + ((time - this.first) / this.length - 0.5) * spacing;
  }

  /** From where to where a span is seen, at least a few pixels wide. */
  seen([from, to]) {
    const [left, right] = [this.xOf(from), this.xOf(to)];
    if (left === null) return null;
    const missing = Math.max(NARROWEST_PX - (right - left), 0);
    return [left - missing / 2, right + missing / 2];
  }

  /** The gaps and findings at a place. */
  at(x) {
    const isHere = (span) => {
      const seen = this.seen(span);
      return seen !== null && seen[0] - 2 <= x && x <= seen[1] + 2;
    };
    return { gaps: this.gaps.filter(isHere), findings: this.findings.filter(isHere) };
  }

  draw(target) {
    if (!this.areShown) return;
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      for (const gap of this.gaps) {
        const seen = this.seen(gap);
        if (seen === null || seen[1] < 0 || seen[0] > mediaSize.width) continue;
        const left = Math.max(seen[0], 0);
        const width = Math.min(seen[1], mediaSize.width) - left;
        context.fillStyle = this.colours.reason(gap[2]);
        context.globalAlpha = 0.16;
        context.fillRect(left, 0, width, mediaSize.height);
        context.globalAlpha = 0.85;
        context.fillRect(left, mediaSize.height - 4, width, 4);
        this.hatch(context, left, width, mediaSize.height);
        context.globalAlpha = 1;
      }
      context.fillStyle = this.colours.finding;
      for (const finding of this.findings) {
        const seen = this.seen(finding);
        if (seen === null || seen[1] < 0 || seen[0] > mediaSize.width) continue;
        context.fillRect(seen[0], 0, seen[1] - seen[0], 5);
      }
    });
  }

  hatch(context, left, width, height) {
    context.save();
    context.beginPath();
    context.rect(left, 0, width, height);
    context.clip();
    context.strokeStyle = context.fillStyle;
    context.globalAlpha = 0.25;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = left - (left % 9) - height; x < left + width; x += 9) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.stroke();
    context.restore();
  }
}
