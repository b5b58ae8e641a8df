// The few drawings of the page, as SVG paths on a 20x20 grid.

import { svg } from "./dom.js";

const PATHS = {
  hash: "M8 3 6.5 17M13.5 3 12 17M3.5 7.5h13.5M3 12.5h13.5",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  mail: "M3 5h14v10.5H3zM3.5 5.5 10 11l6.5-5.5",
  close: "M5 5l10 10M15 5 5 15",
  send: "M3 3.5 17.5 10 3 16.5l2-6.5zM5 10h6",
  eye: "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 12.300a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600z",
  chevron: "M6 8l4 4 4-4",
  right: "M8 5.5 12.5 10 8 14.5",
  menu: "M3 5h14M3 10h14M3 15h14",
  file: "M5 2.5h6.5L15.5 6.5v11H5zM11 2.5V7h4.5",
  check: "M5.5 10.300 8.700 13.5 14.5 7",
  cross: "M6.5 6.5l7 7M13.5 6.5l-7 7",
  warn: "M10 3 18 17H2zM10 8v4M10 14.300v.7",
  people: "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3.5 2.5-5.5 5.5-5.5S13 13.5 13 17M13 4a2.600 2.600 0 0 1 0 5.200M15 12c1.900.8 3 2.5 3 5",
  download: "M10 3v9M6.5 9 10 12.5 13.5 9M4 16.5h12",
};

export function icon(name, size = 18) {
  return svg("svg", { class: `icon icon-${name}`, width: size, height: size, viewBox: "0 0 20 20",
    fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round",
    "stroke-linejoin": "round", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}

// The app's picture: an envelope with a cloud's outline.
export function appPicture() {
  return svg("svg", { viewBox: "0 0 36 36", "aria-hidden": "true" },
    svg("rect", { width: 36, height: 36, fill: "#1f6f78" }),
    svg("path", { d: "M11.5 24.5h13a5 5 0 0 0 .6-9.960A7 7 0 0 0 11.800 13.700 5.450 5.450 0 0 0 11.5 24.5z",
      fill: "#fff" }),
    svg("path", { d: "M18 16v5.5M15.5 19 18 21.5 20.5 19", fill: "none", stroke: "#1f6f78",
      "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}
