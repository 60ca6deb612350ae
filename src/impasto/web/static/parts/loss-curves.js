// Owns the curves of the losses: each term over the steps, on a logarithmic scale, with the sizes painted at as bands.

import { api, eventsUrl } from "../api.js";
import { fill, h, svg } from "../dom.js";
import { Part } from "../part.js";
import { nameOf, number, plural } from "../format.js";

/** @import { Job, LossPoint } from "../types.js" */

const [HEIGHT, LEFT, BOTTOM] = [220, 48, 26];
/** Terms much smaller than the largest would press all others flat. */
const DECADES = 3;

export class LossCurves extends Part {
  /** @type {LossPoint[]} */ #points = [];
  /** @type {string | null} */ #job = null;
  /** @type {EventSource | null} */ #stream = null;

  /** Shows the curves of a job; those of a running one grow. @param {Job | null} job */
  async follow(job) {
    const key = job && `${job.id} ${job.state}`;
    if (key === this.#job) return;
    this.stop();
    this.#job = key;
    this.#points = [];
    this.#draw();
    if (!job) return;
    if (job.state === "running") return this.#listen(job.id);
    const { points } = await api.losses(job.id).catch(() => ({ points: [] }));
    if (this.#job !== key) return;
    this.#points = points;
    this.#draw();
  }

  stop() {
    this.#stream?.close();
    this.#stream = null;
    this.#job = null;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.stop();
  }

  /** @param {string} id */
  #listen(id) {
    this.#stream = new EventSource(eventsUrl(id));
    this.#stream.addEventListener("losses", (event) => {
      const { from, points } = JSON.parse(/** @type {MessageEvent} */ (event).data);
      this.#points = [...this.#points.slice(0, from), ...points];
      this.#draw();
    });
  }

  #draw() {
    const points = this.#points.filter((point) => point.loss > 0);
    if (points.length < 2) return fill(this, h("p", { class: "soft small-text" }, "The curves begin with the second step."));
    const WIDTH = Math.min(832, Math.max(300, this.clientWidth));
    const terms = ["all", ...kindsOf(points)];
    const value = valueOf;
    const logs = points.flatMap((point) => terms.map((term) => value(point, term))).filter((v) => v > 0).map(Math.log10);
    const low = Math.floor(Math.max(Math.min(...logs), Math.max(...logs) - DECADES) * 2) / 2;
    const high = Math.max(Math.ceil(Math.max(...logs) * 2) / 2, low + 0.5);
    const x = (/** @type {number} */ index) => LEFT + (index / (points.length - 1)) * (WIDTH - LEFT - 8);
    const y = (/** @type {number} */ v) => 8 + ((high - Math.log10(v)) / (high - low)) * (HEIGHT - BOTTOM - 8);
    const curve = (/** @type {string} */ term, /** @type {number} */ place) =>
      svg("path", {
        class: `curve curve-${place}`,
        d: points.map((point, index) => (value(point, term) >= 10 ** low ? `${x(index).toFixed(1)},${y(value(point, term)).toFixed(1)}` : null)).filter(Boolean).map((at, index) => `${index ? "L" : "M"}${at}`).join(""),
      });
    const first = /** @type {LossPoint} */ (points[0]);
    const last = /** @type {LossPoint} */ (points.at(-1));
    const picture = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Loss over ${plural(points.length, "step")}: from ${number(first.loss)} to ${number(last.loss)}.` },
      ...bands(points, x),
      ...gridLines(low, high, y, WIDTH),
      ...terms.map(curve),
      ...changes(points, x),
    );
    const legend = terms.map((term, place) => h("span", { class: `key key-${place}` }, nameOf(term), " ", h("span", { class: "soft figures" }, number(value(last, term)))));
    fill(this, picture, h("p", { class: "legend small-text" }, legend));
  }
}

/** What kinds of terms there are, of which each layer has one: `style relu1_1` is of the kind `style`. @param {LossPoint[]} points */
function kindsOf(points) {
  return [...new Set(Object.keys(points.at(-1)?.losses ?? {}).map(kindOf))];
}

/** @param {string} term */
function kindOf(term) {
  return term.split(/[ :_.]/)[0] ?? term;
}

/** The sum of a kind's terms at a step. @param {LossPoint} point @param {string} kind */
function valueOf(point, kind) {
  if (kind === "all") return point.loss;
  return Object.entries(point.losses).reduce((sum, [term, value]) => (kindOf(term) === kind ? sum + value : sum), 0);
}

/** @param {LossPoint[]} points @param {(index: number) => number} x */
function bands(points, x) {
  const starts = points.map((point, index) => ({ point, index })).filter(({ point, index }) => !index || point.scale !== points[index - 1]?.scale);
  return starts.flatMap(({ point, index }, place) => {
    const end = starts[place + 1]?.index ?? points.length - 1;
    const label = svg("text", { x: (x(index) + x(end)) / 2, y: HEIGHT - 8, "text-anchor": "middle", class: "axis" });
    label.textContent = `${Math.max(...point.size)} px`;
    const band = svg("rect", { x: x(index), y: 8, width: Math.max(0, x(end) - x(index)), height: HEIGHT - BOTTOM - 8, class: `band band-${place % 2}` });
    return x(end) - x(index) > 44 ? [band, label] : [band];
  });
}

/** @param {number} low @param {number} high @param {(value: number) => number} y @param {number} width */
function gridLines(low, high, y, width) {
  const tens = [];
  for (let power = Math.ceil(low); power <= high; power += 1) tens.push(10 ** power);
  if (tens.length < 2) tens.splice(0, tens.length, 10 ** low, 10 ** high);
  return tens.flatMap((ten) => {
    const label = svg("text", { x: LEFT - 6, y: y(ten) + 4, "text-anchor": "end", class: "axis" });
    label.textContent = number(Number(ten.toPrecision(2)));
    return [svg("line", { x1: LEFT, x2: width - 8, y1: y(ten), y2: y(ten), class: "grid-line" }), label];
  });
}

/** Where something was changed while it painted. @param {LossPoint[]} points @param {(index: number) => number} x */
function changes(points, x) {
  return points.flatMap((point, index) => {
    if (!point.changed?.length) return [];
    const title = svg("title");
    title.textContent = `Changed: ${point.changed.map(nameOf).join(", ")}`;
    return [svg("line", { x1: x(index), x2: x(index), y1: 8, y2: HEIGHT - BOTTOM, class: "change-line" }, title)];
  });
}

customElements.define("loss-curves", LossCurves);
