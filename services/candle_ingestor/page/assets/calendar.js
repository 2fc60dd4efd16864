// A square a day, a column a week, a row of weeks a year: how much of each day is covered.

const DAY = 86400;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

class Calendar {
  /** `whenChosen(start of the day in seconds)` is called for a click, or Enter. */
  constructor(element, status, whenChosen) {
    this.element = element;
    this.status = status;
    this.whenChosen = whenChosen;
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("pointerover", (event) => this.hovered(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** `columns` are those of the day block: wanted, covered and candles of each series. */
  show(days, columns, position, gaps) {
    const [wanted, covered, candles] = columns.slice(3 * position, 3 * position + 3);
    Object.assign(this, { days, wanted, covered, candles, gaps, name: days.series[position] });
    this.element.replaceChildren(...this.years().reverse());
    const label = `Days of ${this.name}. Arrow keys move, Enter shows a day in the chart.`;
    this.element.setAttribute("aria-label", label);
    this.chosen = days.count - 1;
    this.status.textContent = "";
    for (const weeks of this.element.querySelectorAll(".weeks")) weeks.scrollLeft = weeks.scrollWidth;
  }

  years() {
    const found = new Map();
    for (let i = 0; i < this.days.count; i++) {
      const year = new Date(this.timeOf(i) * 1000).getUTCFullYear();
      if (!found.has(year)) found.set(year, []);
      found.get(year).push(i);
    }
    return [...found].map(([year, days]) => this.year(year, days));
  }

  year(year, days) {
    const block = made("div", { className: "year" }, made("h3", { textContent: year }));
    const weeks = made("div", { className: "weeks" });
    const newYear = Date.UTC(year, 0, 1) / 1000 / DAY;
    // The epoch began on a Thursday.
    const firstMonday = newYear - ((newYear + 3) % 7);
    for (let month = 0; month < 12; month++) {
      const label = made("span", { className: "month", textContent: MONTHS[month] });
      const day = Date.UTC(year, month, 1) / 1000 / DAY;
      label.style.gridColumn = `${Math.floor((day - firstMonday) / 7) + 1} / span 4`;
      weeks.append(label);
    }
    const first = this.days.start / DAY;
    const told = new Set(days);
    const nextYear = Date.UTC(year + 1, 0, 1) / 1000 / DAY;
    for (let day = newYear; day < nextYear; day++) {
      const i = day - first;
      const cell = made("i", { className: `cell ${told.has(i) ? this.shade(i) : "outside"}` });
      if (told.has(i)) cell.dataset.day = i;
      cell.style.gridColumn = Math.floor((day - firstMonday) / 7) + 1;
      cell.style.gridRow = ((day + 3) % 7) + 2;
      weeks.append(cell);
    }
    block.append(weeks);
    return block;
  }

  timeOf(i) {
    return this.days.start + i * DAY;
  }

  shade(i) {
    if (!this.wanted[i]) return "unwanted";
    const share = this.covered[i] / this.wanted[i];
    if (share >= 1) return "full";
    if (share >= 0.99) return "most";
    if (share >= 0.5) return "some";
    return share > 0 ? "little" : "none";
  }

  /** What is told of a day. */
  words(i) {
    const day = `${timeText(this.timeOf(i)).slice(0, 10)}, ${this.name}`;
    const candles = `${this.candles[i].toLocaleString("en")} candles`;
    if (!this.wanted[i]) return `${day}: not wanted, ${candles}`;
    const missing = this.wanted[i] - this.covered[i];
    const complete = Math.floor((10000 * this.covered[i]) / this.wanted[i]) / 100;
    const noTrade = Math.max(this.covered[i] - this.candles[i], 0).toLocaleString("en");
    const reasons = new Set(
      this.gaps
        .filter(([from, to]) => from < this.timeOf(i) + DAY && to > this.timeOf(i))
        .map(([, , reason]) => reason),
    );
    const why = missing && reasons.size ? ` (${[...reasons].join(", ")})` : "";
    return `${day}: ${complete} % complete, ${candles}, ${noTrade} without a trade, ${missing.toLocaleString("en")} missing${why}`;
  }

  tell(i) {
    this.element.querySelector(".cell.chosen")?.classList.remove("chosen");
    const cell = this.element.querySelector(`[data-day="${i}"]`);
    cell.classList.add("chosen");
    this.chosen = i;
    this.status.textContent = this.words(i);
    return cell;
  }

  clicked(event) {
    const { day } = event.target.dataset;
    if (day === undefined) return;
    this.tell(Number(day));
    this.whenChosen(this.timeOf(Number(day)));
  }

  hovered(event) {
    const { day } = event.target.dataset;
    if (day !== undefined) this.tell(Number(day));
  }

  pressed(event) {
    const step = { ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step !== undefined && this.days.count) {
      const next = Math.min(Math.max(this.chosen + step, 0), this.days.count - 1);
      this.tell(next).scrollIntoView({ block: "nearest", inline: "nearest" });
    } else if (event.key === "Enter" && this.days.count) this.whenChosen(this.timeOf(this.chosen));
    else return;
    event.preventDefault();
  }
}
