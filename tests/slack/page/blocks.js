// Block Kit's blocks as nodes. `act(element, blockId, selected)` is what a button or a choice does.

import { chart } from "./chart.js";
import { h, safeUrl } from "./dom.js";
import { icon } from "./icons.js";
import { control } from "./inputs.js";
import { mrkdwn, textObject } from "./mrkdwn.js";
import { plan, taskCard } from "./plan.js";
import { richText } from "./richtext.js";
import { dataTable, table } from "./table.js";

function picture(thing, className) {
  const url = safeUrl(thing.image_url ?? "");
  return url ? h("img", { class: className, src: url, alt: thing.alt_text, loading: "lazy" })
    : h("span", { class: "no-image" }, thing.alt_text);
}

export function button(element, act) {
  const kind = { primary: "button-primary", danger: "button-danger" }[element.style] ?? "";
  const url = safeUrl(element.url ?? "");
  return h("button", {
    class: `button ${kind}`, type: "button", "data-action": element.action_id,
    "data-value": element.value, "aria-label": element.accessibility_label,
    onclick: (event) => {
      if (url) window.open(url, "_blank", "noopener");
      act(element, event.currentTarget);
    },
  }, textObject(element.text));
}

function element(thing, world, act) {
  if (thing.type === "button") return button(thing, act);
  if (thing.type === "image") return picture(thing, "accessory-image");
  return control(thing, world, { onchange: (value, node) => act(thing, node, value) });
}

const BLOCKS = {
  section: (b, world, act) => h("div", { class: "block section" },
    h("div", { class: "section-text" },
      b.text && h("div", { class: "text" }, textObject(b.text, world)),
      b.fields && h("div", { class: "fields" }, b.fields.map((f) =>
        h("div", { class: "field text" }, textObject(f, world))))),
    b.accessory && h("div", { class: "accessory" }, element(b.accessory, world, act))),
  header: (b) => h("h3", { class: "block header" }, textObject(b.text)),
  divider: () => h("hr", { class: "block divider" }),
  image: (b) => h("figure", { class: "block image" },
    b.title && h("figcaption", {}, textObject(b.title)), picture(b, "big-image")),
  context: (b, world) => h("div", { class: "block context" }, b.elements.map((e) =>
    (e.type === "image" ? picture(e, "context-image")
      : h("span", { class: "text" }, textObject(e, world))))),
  actions: (b, world, act) => h("div", { class: "block actions" },
    b.elements.map((e) => element(e, world, act))),
  markdown: (b, world) => h("div", { class: "block text" }, mrkdwn(b.text, world)),
  rich_text: (b, world) => h("div", { class: "block" }, richText(b, world)),
  plan: (b, world) => plan(b, world),
  task_card: (b, world) => h("div", { class: "block plan" }, taskCard(b, world)),
  table: (b, world) => table(b, world),
  data_table: (b, world) => dataTable(b, world),
  data_visualization: (b) => chart(b),
  alert: (b, world) => h("div", { class: `block alert alert-${b.level ?? "default"}`, role: "note" },
    icon("warn", 16), h("span", {}, textObject(b.text, world))),
};

export function blocks(list, world, act) {
  return list.map((block) => {
    const make = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type] : null;
    const node = make ? make(block, world, (...what) => act(block, ...what))
      : h("div", { class: "block unknown" }, `This page does not know the block “${block.type}”.`);
    node.dataset.block = block.block_id ?? "";
    return node;
  });
}
