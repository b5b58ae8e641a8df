// The rich_text block, and what stands inside it.

import { dateText } from "./dates.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { broadcast, link, mention } from "./mrkdwn.js";

function styled(node, style = {}) {
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["italic", "i"], ["bold", "b"]])
    if (style[name]) node = h(tag, {}, node);
  return node;
}

function withBreaks(text) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
}

const ELEMENTS = {
  text: (e) => h("span", {}, withBreaks(e.text)),
  link: (e, world) => link(e.url, e.text || e.url, world),
  user: (e, world) => mention("@", e.user_id, null, world),
  channel: (e, world) => mention("#", e.channel_id, null, world),
  usergroup: (e, world) => mention("&", e.usergroup_id, null, world),
  emoji: (e) => h("span", { class: "emoji" }, emoji(e.name) ?? `:${e.name}:`),
  date: (e, world) => dateText(e.timestamp, e.format ?? "{date}", world.tz) ?? e.fallback ?? "",
  broadcast: (e) => broadcast(e.range),
};

function elements(list, world) {
  return (list ?? []).map((e) => (Object.hasOwn(ELEMENTS, e.type)
    ? styled(ELEMENTS[e.type](e, world), e.style) : ""));
}

const PARTS = {
  rich_text_section: (p, world) => h("div", { class: "rich-section" }, elements(p.elements, world)),
  rich_text_list: (p, world) => h(p.style === "ordered" ? "ol" : "ul",
    { class: `rich-list indent-${p.indent ?? 0}`, start: p.offset ? p.offset + 1 : null },
    p.elements.map((item) => h("li", {}, elements(item.elements, world)))),
  rich_text_quote: (p, world) => h("blockquote", {}, elements(p.elements, world)),
  rich_text_preformatted: (p, world) => h("pre", {}, elements(p.elements, world)),
};

export function richText(block, world) {
  return h("div", { class: "rich-text" }, (block.elements ?? []).map((part) =>
    (Object.hasOwn(PARTS, part.type) ? PARTS[part.type](part, world) : null)));
}
