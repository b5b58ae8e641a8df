// Slack's mrkdwn as nodes. Nothing here ever becomes HTML text: see dom.js.
//
// `world` tells names: {person(id), channel(id), group(id), tz, me, open(channel)}; see store.js.

import { dateText } from "./dates.js";
import { h, safeUrl } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const decode = (text) => text.replace(/&(amp|lt|gt);/g, (entity) => ENTITIES[entity]);
const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
const STYLES = { "*": "b", _: "i", "~": "s" };

export function link(url, label, world) {
  const target = safeUrl(url);
  if (!target) return label;
  return h("a", { href: target, target: "_blank", rel: "noopener noreferrer",
    onclick: (event) => world.follow?.(target) && event.preventDefault() }, label);
}

export function mention(kind, id, label, world) {
  if (kind === "@") {
    const person = world.person(id);
    const me = id === world.me?.id;
    return h("span", { class: me ? "mention mention-me" : "mention", "data-mention": id },
      `@${person?.name ?? label ?? id}`);
  }
  if (kind === "#") {
    const channel = world.channel(id);
    return h("a", { class: "mention", href: `#${id}`, "data-mention": id },
      `#${channel?.name ?? label ?? id}`);
  }
  const group = world.group(id);
  const mine = group?.users.includes(world.me?.id);
  return h("span", { class: mine ? "mention mention-me" : "mention", "data-mention": id },
    `@${group?.handle ?? (label ?? id).replace(/^@/, "")}`);
}

export function broadcast(range) {
  return h("span", { class: "mention mention-me" }, `@${range}`);
}

// What stands between < and >; null when Slack would not know it either.
function angle(token, world, first) {
  const bar = token.indexOf("|");
  const [target, label] = bar < 0 ? [token, null]
    : [token.slice(0, bar), decode(token.slice(bar + 1))];
  let found;
  if ((found = /^([@#])([A-Z0-9]+)$/.exec(target))) return mention(found[1], found[2], label, world);
  if ((found = /^!subteam\^([A-Z0-9]+)$/.exec(target))) return mention("&", found[1], label, world);
  if ((found = /^!date\^(-?\d+)\^([^^]*)(?:\^(.+))?$/.exec(target))) {
    const text = dateText(found[1], decode(found[2]), world.tz, first) ?? label ?? found[1];
    return h("time", { title: label }, found[3] ? link(decode(found[3]), text, world) : text);
  }
  if (/^!(here|channel|everyone)$/.test(target)) return broadcast(target.slice(1));
  if (target.startsWith("!")) return label ?? target.slice(1);
  const url = decode(target);
  return safeUrl(url) ? link(url, withEmoji(label ?? url.replace(/^mailto:/, "")), world) : null;
}

// Text in which only <…> and entities mean something: inside code.
function raw(text, world) {
  return text.split(/(<[^<>\n]+>)/).map((part, index) =>
    (index % 2 ? angle(part.slice(1, -1), world) ?? decode(part) : decode(part)));
}

// Where the marker at `from` closes, or -1. Code and <…> on the way are stepped over.
function closing(text, from) {
  const marker = text[from];
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "`" || text[at] === "<") {
      const end = text.indexOf(text[at] === "<" ? ">" : "`", at + 1);
      if (end > 0) at = end;
    } else if (text[at] === marker && at > from + 1 && !/\s/.test(text[at - 1])
      && !isWord(text[at + 1]) && text[at + 1] !== marker) {
      return at;
    }
  }
  return -1;
}

// Each reader takes what it knows at `at`: [node or text, where to go on], or null.
const READERS = {
  "`": (text, at, world) => {
    const end = text.indexOf("`", at + 1);
    const inside = text.slice(at + 1, end);
    return end > at + 1 && !inside.includes("\n") && inside.trim()
      ? [h("code", {}, raw(inside, world)), end + 1] : null;
  },
  "<": (text, at, world) => {
    const end = text.indexOf(">", at);
    const first = at === 0 || text[at - 1] === "\n";
    const node = end > 0 ? angle(text.slice(at + 1, end), world, first) : null;
    return node === null ? null : [node, end + 1];
  },
  "&": (text, at) => {
    const found = /^&(amp|lt|gt);/.exec(text.slice(at, at + 5));
    return found && [ENTITIES[found[0]], at + found[0].length];
  },
  ":": (text, at) => {
    const found = /^:([a-z0-9_+-]+):/.exec(text.slice(at, at + 50));
    const sign = found && emoji(found[1]);
    return sign && [h("span", { class: "emoji", title: found[0] }, sign), at + found[0].length];
  },
  h: (text, at, world) => {
    const found = !isWord(text[at - 1]) && /^https?:\/\/[^\s<>|`]+/.exec(text.slice(at));
    if (!found) return null;
    const shown = found[0].replace(/(?:[.,;:!?)'"*_~]|&gt;)+$/, "");
    return [link(decode(shown), decode(shown), world), at + shown.length];
  },
  "\n": (_, at) => [h("br"), at + 1],
};
for (const [marker, tag] of Object.entries(STYLES)) {
  READERS[marker] = (text, at, world) => {
    const next = text[at + 1];
    if (isWord(text[at - 1]) || text[at - 1] === marker) return null;
    if (next === undefined || /\s/.test(next) || next === marker) return null;
    const end = closing(text, at);
    return end < 0 ? null : [h(tag, {}, inline(text.slice(at + 1, end), world)), end + 1];
  };
}

function inline(text, world) {
  const out = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const read = READERS[text[at]]?.(text, at, world);
    if (!read) {
      plain += text[at++];
      continue;
    }
    if (plain) out.push(plain);
    plain = "";
    out.push(read[0]);
    at = read[1];
  }
  return plain ? [...out, plain] : out;
}

const QUOTE = /^(?:>|&gt;) ?/;
const REST_QUOTE = /^(?:>>>|&gt;&gt;&gt;) ?/;

// Lines, of which those that begin with > are gathered into quotes.
function lines(text, world) {
  const out = [];
  let run = [], quoted = false;
  const flush = () => {
    const content = run.length ? inline(run.join("\n"), world) : null;
    if (content) out.push(quoted ? h("blockquote", {}, content) : h("span", {}, content));
    run = [];
  };
  const all = text.split("\n");
  for (let i = 0; i < all.length; i++) {
    const rest = REST_QUOTE.test(all[i]);
    const quote = rest || QUOTE.test(all[i]);
    if (quote !== quoted) {
      flush();
      quoted = quote;
    }
    if (rest) {
      run = [all[i].replace(REST_QUOTE, ""), ...all.slice(i + 1)];
      break;
    }
    run.push(quote ? all[i].replace(QUOTE, "") : all[i]);
  }
  flush();
  return out;
}

export function mrkdwn(text, world) {
  const out = document.createDocumentFragment();
  String(text ?? "").split(/```([\s\S]+?)```/).forEach((part, index) => {
    if (index % 2) {
      out.append(h("pre", {}, raw(part.replace(/^\n|\n$/g, ""), world)));
    } else {
      // The line break beside a block of code is the block's own.
      const own = index ? part.replace(/^\n/, "") : part;
      if (own) out.append(...lines(own, world));
    }
  });
  return out;
}

// mrkdwn in one line of plain words: for labels and summaries.
export function plainWords(text, world) {
  return h("div", {}, mrkdwn(text, world)).textContent;
}

// A text object of Block Kit.
export function textObject(thing, world) {
  if (!thing) return "";
  if (thing.type === "mrkdwn") return mrkdwn(thing.text, world);
  return thing.emoji === false ? thing.text : withEmoji(thing.text);
}
