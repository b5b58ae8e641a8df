// The table and data_table blocks.

import { h } from "./dom.js";
import { richText } from "./richtext.js";

function cell(thing, world) {
  if (thing.type === "rich_text") return richText(thing, world);
  return thing.text ?? String(thing.value ?? "");
}

function grid(rows, world, style = () => ({}), headed = () => false) {
  const [head, ...body] = rows;
  return h("table", {},
    h("thead", {}, h("tr", {}, head.map((c, i) =>
      h("th", { scope: "col", ...style(i, c) }, cell(c, world))))),
    h("tbody", {}, body.map((row) => h("tr", {}, row.map((c, i) =>
      h(headed(i) ? "th" : "td", { scope: headed(i) ? "row" : null, ...style(i, c) },
        cell(c, world)))))));
}

export function table(block, world) {
  const align = (i) => ({ class: `align-${block.column_settings?.[i]?.align ?? "left"}` });
  return h("div", { class: "block table", tabindex: 0, role: "region", "aria-label": "Table" },
    grid(block.rows, world, align));
}

export function dataTable(block, world) {
  const [head, ...body] = block.rows;
  const size = block.page_size ?? 5, pages = Math.max(1, Math.ceil(body.length / size));
  const named = block.row_header_column_index ?? 0;
  const numbers = head.map((_, i) => body.every((row) => row[i].type === "raw_number"));
  let page = 0;
  const shown = h("div", { class: "table-page" });
  const words = h("span", { "aria-live": "polite" });
  const turn = (by) => {
    page = Math.min(pages - 1, Math.max(0, page + by));
    const rows = [head, ...body.slice(page * size, (page + 1) * size)];
    shown.replaceChildren(grid(rows, world,
      (i) => ({ class: numbers[i] ? "align-right" : "align-left" }), (i) => i === named));
    words.textContent = `Page ${page + 1} of ${pages}`;
  };
  turn(0);
  return h("div", { class: "block table data-table" },
    h("div", { class: "table-caption" }, block.caption), shown,
    pages > 1 && h("div", { class: "table-pages" },
      h("button", { class: "button button-small", type: "button", onclick: () => turn(-1) },
        "Previous"), words,
      h("button", { class: "button button-small", type: "button", onclick: () => turn(1) }, "Next")));
}
