// Brings the parts of the page together.

const MOST_ROWS = 500;
const TIP_MARGIN_PX = 8;
const TIP_AWAY_PX = 16;
const LENGTHS = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

/** A new element with some properties and children. */
function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function byId(name) {
  return document.getElementById(name);
}

/** `2023-03-11 07:02` */
function timeText(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}

/** The words of a line, each of which stays whole where the line is broken: commands have hyphens. */
function wordsOf(line) {
  return line
    .split(" ")
    .flatMap((word) => [made("span", { className: "word", textContent: word }), " "]);
}

/** `15 minutes`, `1 hour` */
function lengthText(seconds) {
  const [unit, name] = LENGTHS.find(([each]) => seconds % each === 0) ?? [1, "second"];
  const count = seconds / unit;
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

function numberText(value, digits) {
  if (Number.isNaN(value)) return "–";
  return value.toLocaleString("en", {
    minimumFractionDigits: Math.max(digits, 0),
    maximumFractionDigits: Math.max(digits, 0),
  });
}

/** The colours of the page, read from its style, so that they are said once. */
function coloursNow() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const exchanges = [1, 2, 3, 4, 5, 6].map((number) => of(`exchange-${number}`));
  return {
    paper: of("paper"),
    muted: of("muted"),
    line: of("line"),
    grid: of("grid"),
    up: of("up"),
    down: of("down"),
    volumeUp: of("volume-up"),
    volumeDown: of("volume-down"),
    accent: of("accent"),
    accentSoft: of("accent-soft"),
    excluded: of("excluded"),
    disagreeing: of("disagreeing"),
    finding: of("finding"),
    reason: (name) => of(`reason-${name.replaceAll("_", "-")}`) || of("muted"),
    exchange: (i) => exchanges[i % exchanges.length],
  };
}

class PageView {
  constructor(data) {
    this.data = data;
    this.calendar = new Calendar(byId("calendar"), byId("day"), (time) => this.showDay(time));
    this.at = 0;
  }

  start() {
    byId("head").addEventListener("change", (event) => this.showHead(Number(event.target.value)));
    for (const button of document.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => {
        this.showHead(Number(button.dataset.show));
        byId("chart-heading").scrollIntoView({ block: "start" });
      });
    }
    for (const button of document.querySelectorAll("[data-range]")) {
      button.addEventListener("click", () => this.showRange(button.dataset.range));
    }
    byId("zoom-in").addEventListener("click", () => this.chart.zoom(0.5));
    byId("zoom-out").addEventListener("click", () => this.chart.zoom(2));
    byId("pan-left").addEventListener("click", () => this.chart.pan(-0.5));
    byId("pan-right").addEventListener("click", () => this.chart.pan(0.5));
    byId("place").addEventListener("change", (event) => this.goTo(event.target.value));
    byId("calendar-series").addEventListener("change", () => this.showCalendar());
    byId("shown-candles").addEventListener("toggle", () => this.fillTable());
    const chart = byId("chart");
    chart.addEventListener("keydown", (event) => this.pressed(event));
    chart.addEventListener("pointerdown", () => this.chart.hold(true));
    for (const name of ["pointerup", "pointercancel"]) {
      addEventListener(name, () => this.chart.hold(false));
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    return this.showHead(0);
  }

  get head() {
    return this.data.heads[this.at];
  }

  async showHead(at, range) {
    this.at = at;
    const { head } = this;
    byId("head").value = String(at);
    for (const title of document.querySelectorAll(".of-head")) title.textContent = head.name;
    for (const part of document.querySelectorAll("[data-head]")) {
      part.hidden = part.dataset.head !== String(at);
    }
    this.chart?.remove();
    byId("tip").hidden = true;
    const colours = coloursNow();
    this.chart = new CandleChart(byId("chart"), head, this.data.spreadScale, colours, () =>
      this.shown(),
    );
    this.chart.chart.subscribeCrosshairMove((param) => this.pointed(param));
    this.fillLegend(colours);
    this.fillPlaces();
    byId("calendar-series").replaceChildren(
      ...head.days.series.map((name, i) => made("option", { textContent: name, value: String(i) })),
    );
    const [from, to] = range ?? this.chart.whole;
    await Promise.all([this.chart.show(from, to), this.showCalendar()]);
  }

  async recolour() {
    await this.showHead(this.at, this.chart.seen);
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.colours = isDark ? "dark" : "light";
  }

  async showCalendar() {
    const { head } = this;
    const columns = columnsOf(await unpack(head.days.block), head.days.count);
    if (head !== this.head) return;
    const position = Number(byId("calendar-series").value);
    this.calendar.show(head.days, columns, position, position ? [] : head.gaps);
  }

  showDay(time) {
    byId("chart-heading").scrollIntoView({ block: "start" });
    return this.chart.show(time, time + DAY);
  }

  showRange(range) {
    return range === "all" ? this.chart.showAll() : this.chart.showNewest(Number(range));
  }

  fillLegend(colours) {
    const { head } = this;
    const lines = head.exchanges.map((name, i) => [name, name, colours.exchange(i)]);
    if (head.exchanges.length > 1) lines.push(["spread", "spread between them", colours.accent]);
    lines.push(["gaps", "gaps and findings", colours.reason("fetch_failed")]);
    if (head.isMerged) lines.push(["marks", "excluded ▼, disagreeing ●", colours.excluded]);
    byId("lines").replaceChildren(
      ...lines.map(([name, words, colour]) => {
        const box = made("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => this.chart.setShown(name, box.checked));
        const swatch = made("i", { className: "swatch" });
        swatch.style.background = colour;
        return made("label", {}, box, swatch, words);
      }),
    );
  }

  fillPlaces() {
    const place = byId("place");
    place.replaceChildren(place.options[0]);
    this.head.places.forEach(([from, , words], i) => {
      place.append(made("option", { value: String(i), textContent: `${timeText(from)} ${words}` }));
    });
    place.value = "";
    place.disabled = !this.head.places.length;
  }

  goTo(value) {
    if (value === "") return undefined;
    const [from, to] = this.head.places[Number(value)];
    const margin = Math.max((to - from) * 0.25, this.head.length * 30);
    return this.chart.show(from - margin, to + margin);
  }

  pressed(event) {
    const actions = {
      ArrowLeft: () => this.chart.pan(-0.2),
      ArrowRight: () => this.chart.pan(0.2),
      "+": () => this.chart.zoom(0.5),
      "=": () => this.chart.zoom(0.5),
      "-": () => this.chart.zoom(2),
      Home: () => this.chart.showAll(),
      End: () => this.chart.showNewest(this.chart.seen[1] - this.chart.seen[0]),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  /** Tells what is seen, and how fine. */
  shown() {
    const { head, chart } = this;
    const [from, to] = chart.seen;
    const [start, end] = chart.whole;
    const { level } = chart;
    const own = head.levels[0];
    const words = [
      `${timeText(Math.max(from, start))} to ${timeText(Math.min(to, end))}: a candle is ${lengthText(level.length)}`,
    ];
    if (level !== own) {
      const [newest] = own.spans.slice(-1);
      const isHere = own.spans.some((span) => span[0] < to && span[1] > from);
      const finer = isHere
        ? `zoom in for ${lengthText(own.length)}, which this page has of parts of this time`
        : `this page has no candles of ${lengthText(own.length)} here; the store has. The newest are from ${newest ? timeText(newest[0]) : "nowhere"} on`;
      words.push(`made of those of ${lengthText(own.length)}; ${finer}`);
    }
    const text = `${words.join(", ")}.`;
    if (byId("resolution").textContent !== text) byId("resolution").textContent = text;
    byId("chart").dataset.length = String(level.length);
    byId("chart").dataset.from = String(Math.round(from));
    byId("chart").dataset.to = String(Math.round(to));
    this.fillTable();
  }

  pointed(param) {
    const here = this.chart.at(param);
    const tip = byId("tip");
    byId("readout").textContent = here ? this.readout(here) : "";
    const lines = here && param.sourceEvent ? this.told(here) : [];
    tip.hidden = !lines.length;
    if (!lines.length) return;
    tip.replaceChildren(...lines.map((line) => made("div", {}, ...wordsOf(line))));
    this.placeTip(tip, param.sourceEvent);
  }

  /** Puts the tip beside the pointer, within the window: above it where there is no room below. */
  placeTip(tip, { clientX, clientY }) {
    const { clientWidth, clientHeight } = document.documentElement;
    const room = clientWidth - tip.offsetWidth - TIP_MARGIN_PX;
    const below = clientY + TIP_AWAY_PX;
    const isRoomBelow = below + tip.offsetHeight + TIP_MARGIN_PX <= clientHeight;
    const top = isRoomBelow ? below : clientY - TIP_AWAY_PX - tip.offsetHeight;
    tip.style.left = `${Math.max(Math.min(clientX + TIP_AWAY_PX, room), TIP_MARGIN_PX)}px`;
    tip.style.top = `${Math.max(top, TIP_MARGIN_PX)}px`;
  }

  readout({ time, bars, row }) {
    if (row === null) return `${timeText(time)}  no candle`;
    const { exchanges } = this.head;
    const { digits } = this.chart.level;
    const price = (column) => numberText(column[row], digits);
    const volume = numberText(bars.volume[row], this.chart.level.volumeDigits);
    const own = Number.isNaN(bars.close[row])
      ? ["no candle"]
      : [
          `O ${price(bars.open)} H ${price(bars.high)} L ${price(bars.low)} C ${price(bars.close)}`,
          `V ${volume}`,
        ];
    const parts = [
      timeText(time),
      ...own,
      ...exchanges.map((name, i) => `${name} ${price(bars.closes[i])}`),
    ];
    if (!Number.isNaN(bars.spread[row])) parts.push(`spread ${bars.spread[row].toFixed(1)} bp`);
    return parts.join("  ");
  }

  told({ gaps, findings, marks }) {
    const lines = [];
    for (const [from, to, reason, status, remedy] of gaps.slice(0, 3)) {
      lines.push(`Gap ${timeText(from)} to ${timeText(to)}, ${status}`);
      lines.push(`${reason}: ${REASONS[reason] ?? ""}`);
      lines.push(remedy);
    }
    for (const [, , rule, words] of findings.slice(0, 3)) lines.push(`${rule}: ${words}`);
    for (const [time, kind, , words] of marks.slice(0, 3)) {
      lines.push(`${timeText(time)} ${kind}: ${words}`);
    }
    const more = Math.max(gaps.length, findings.length, marks.length) - 3;
    if (more > 0) lines.push(`and ${more} more`);
    return lines;
  }

  /** The same figures as the chart, for who reads rather than looks. */
  fillTable() {
    const details = byId("shown-candles");
    const { chart, head } = this;
    if (!details.open || !chart?.level) return;
    const bars = chart.bars.get(chart.level);
    const [from, to] = chart.seen;
    const [first, last] = [rowAt(bars, from), rowAt(bars, to)];
    const start = Math.max(first, last - MOST_ROWS);
    const headings = ["Open time", "Open", "High", "Low", "Close", "Volume", ...head.exchanges];
    if (chart.spread) headings.push("Spread, bp");
    const rows = [];
    for (let row = last - 1; row >= start; row--) {
      const cells = [bars.open, bars.high, bars.low, bars.close].map((column) =>
        numberText(column[row], chart.level.digits),
      );
      cells.push(numberText(bars.volume[row], chart.level.volumeDigits));
      cells.push(...bars.closes.map((column) => numberText(column[row], chart.level.digits)));
      if (chart.spread) cells.push(numberText(bars.spread[row], 1));
      rows.push(
        made(
          "tr",
          {},
          made("th", { scope: "row", textContent: timeText(bars.times[row]) }),
          ...cells.map((cell) => made("td", { className: "number", textContent: cell })),
        ),
      );
    }
    const left = start > first ? `, the newest ${MOST_ROWS} of ${last - first}` : "";
    const caption = `Candles of ${lengthText(chart.level.length)} of ${head.name}${left}`;
    const table = made(
      "table",
      {},
      made("caption", { textContent: caption }),
      made(
        "thead",
        {},
        made("tr", {}, ...headings.map((each) => made("th", { scope: "col", textContent: each }))),
      ),
      made("tbody", {}, ...rows),
    );
    const wide = made("div", { className: "wide", tabIndex: 0 }, table);
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", caption);
    details.querySelector(":scope > div").replaceChildren(wide);
  }
}

function trouble(words) {
  byId("trouble").textContent = words;
  byId("trouble").hidden = false;
}

const data = JSON.parse(byId("page-data").textContent);
if (typeof DecompressionStream === "undefined") {
  trouble("This browser is too old to unpack the candles: the charts are not drawn. All other tables are whole.");
} else if (data.heads.length) {
  new PageView(data).start().then(() => {
    document.documentElement.dataset.ready = "yes";
  });
} else {
  document.documentElement.dataset.ready = "yes";
}
