// The data_visualization block, drawn as SVG.

import { h, svg } from "./dom.js";

const COLOURS = ["#1264a3", "#e8912d", "#2bac76", "#b64598", "#6b7bd6", "#8d6e4c"];
const WIDTH = 560, HEIGHT = 260, LEFT = 62, RIGHT = 12, TOP = 14;
const colour = (i) => COLOURS[i % COLOURS.length];

// Round steps over [low, high]: 1, 2 or 5 times a power of ten, no finer than what number() shows.
function ticks(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(0.01, [1, 2, 5, 10].find((s) => s * power >= rough) * power);
  const out = [];
  for (let v = Math.floor(low / step) * step; v < high + step * 0.999; v += step) out.push(v);
  return out;
}

const number = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 });

function label(x, y, text, more = {}) {
  return svg("text", { x, y, class: "chart-label", "text-anchor": "middle", ...more }, text);
}

function hover(node, text) {
  node.append(svg("title", {}, text));
  return node;
}

// Every chart but the pie stands on these axes.
function axes(spec) {
  const { x_label: below, y_label: beside } = spec.axis_config;
  const bottom = HEIGHT - (below ? 46 : 26);
  const values = spec.series.flatMap((s) => s.data.map((d) => Number(d.value)));
  const marks = ticks(Math.min(0, ...values), Math.max(0, ...values) || 1);
  const low = marks[0], high = marks[marks.length - 1];
  const y = (v) => TOP + (bottom - TOP) * (1 - (v - low) / (high - low));
  const names = spec.axis_config.categories;
  const band = (WIDTH - LEFT - RIGHT) / names.length;
  const x = (i) => LEFT + band * (i + 0.5);
  const most = Math.max(4, Math.floor(band / 6.2));
  const drawn = [
    ...marks.flatMap((v) => [
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(v), y2: y(v),
        class: v === 0 ? "chart-zero" : "chart-line" }),
      label(LEFT - 8, y(v) + 4, number(v), { "text-anchor": "end" })]),
    ...names.map((n, i) => hover(label(x(i), bottom + 18,
      n.length > most ? `${n.slice(0, most - 1)}…` : n), n)),
    below && label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, below, { class: "chart-axis" }),
    beside && label(14, (TOP + bottom) / 2, beside, { class: "chart-axis",
      transform: `rotate(-90 14 ${(TOP + bottom) / 2})` }),
  ];
  return { x, y, band, names, drawn };
}

const KINDS = {
  bar(spec) {
    const { x, y, band, names, drawn } = axes(spec);
    const width = Math.min(64, (band * 0.6) / spec.series.length);
    return [drawn, spec.series.map((s, k) => s.data.map((d, i) => {
      const at = x(i) + (k - spec.series.length / 2) * width, value = Number(d.value);
      return hover(svg("rect", { x: at + 1, width: width - 2, y: y(Math.max(0, value)), rx: 3,
        height: Math.max(value ? 1.5 : 0, Math.abs(y(value) - y(0))), fill: colour(k),
        class: "chart-bar" }), `${names[i]}, ${s.name}: ${number(value)}`);
    }))];
  },
  line(spec, filled = false) {
    const { x, y, names, drawn } = axes(spec);
    return [drawn, spec.series.map((s, k) => {
      const points = s.data.map((d, i) => `${x(i)},${y(Number(d.value))}`);
      const last = s.data.length - 1;
      return [
        filled && svg("polygon", { fill: colour(k), opacity: 0.22,
          points: [`${x(0)},${y(0)}`, ...points, `${x(last)},${y(0)}`].join(" ") }),
        svg("polyline", { points: points.join(" "), fill: "none", stroke: colour(k),
          "stroke-width": 2.5, "stroke-linejoin": "round" }),
        s.data.map((d, i) => hover(svg("circle", { cx: x(i), cy: y(Number(d.value)), r: 3.5,
          fill: "#fff", stroke: colour(k), "stroke-width": 2 }),
        `${names[i]}, ${s.name}: ${number(Number(d.value))}`)),
      ];
    })];
  },
  area: (spec) => KINDS.line(spec, true),
  pie(spec) {
    const all = spec.segments.reduce((sum, s) => sum + s.value, 0);
    const cx = WIDTH / 2, cy = HEIGHT / 2, r = HEIGHT / 2 - 12;
    const point = (part) => [cx + r * Math.sin(2 * Math.PI * part), cy - r * Math.cos(2 * Math.PI * part)];
    let from = 0;
    return spec.segments.map((s, i) => {
      const part = s.value / all, to = from + part;
      const shape = part > 0.9999 ? svg("circle", { cx, cy, r, fill: colour(i) })
        : svg("path", { fill: colour(i), stroke: "#fff", "stroke-width": 2,
          d: `M${cx},${cy} L${point(from)} A${r},${r} 0 ${part > 0.5 ? 1 : 0} 1 ${point(to)} Z` });
      from = to;
      return hover(shape, `${s.label}: ${number(s.value)} (${Math.round(part * 100)} %)`);
    });
  },
};

function summary(block) {
  const spec = block.chart;
  const rows = spec.type === "pie" ? spec.segments.map((s) => `${s.label} ${number(s.value)}`)
    : spec.series.flatMap((s) => s.data.map((d) => `${d.label}, ${s.name} ${number(Number(d.value))}`));
  return `${block.title}. ${spec.type} chart: ${rows.join("; ")}`;
}

function legend(spec) {
  const names = spec.type === "pie" ? spec.segments.map((s) => s.label)
    : spec.series.length > 1 ? spec.series.map((s) => s.name) : [];
  return names.length > 0 && h("ul", { class: "legend" }, names.map((name, i) => {
    const spot = svg("svg", { width: 10, height: 10, "aria-hidden": "true" },
      svg("rect", { width: 10, height: 10, rx: 2, fill: colour(i) }));
    return h("li", {}, spot, name);
  }));
}

export function chart(block) {
  const kind = block.chart.type;
  return h("figure", { class: "block chart", "data-chart": kind },
    h("figcaption", {}, block.title),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(block) },
      KINDS[kind](block.chart)),
    legend(block.chart));
}
