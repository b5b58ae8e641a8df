// People as initials on a coloured square; the app as its picture.

import { h } from "./dom.js";
import { appPicture, icon } from "./icons.js";

const COLOURS = ["#2d7d6e", "#7a4fa3", "#b5532d", "#2f6db5", "#a83e6f", "#5b7a2a", "#8a6a1f", "#47618a"];
const KNOWN = { U0DEV: 3, U0APPR: 0, U0MGR: 1, U0BYST: 2 };

function colour(id) {
  if (Object.hasOwn(KNOWN, id)) return COLOURS[KNOWN[id]];
  const sum = [...id].reduce((s, c) => s * 31 + c.charCodeAt(0), 7);
  return COLOURS[Math.abs(sum) % COLOURS.length];
}

function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words[1][0] : (words[0] ?? "?").slice(0, 2);
  return letters[0].toUpperCase() + letters.slice(1).toLowerCase();
}

export function avatar(person, size) {
  const style = `width:${size}px;height:${size}px;font-size:${Math.round(size * 0.4)}px`;
  if (person?.is_bot) return h("span", { class: "avatar", style, "aria-hidden": "true" }, appPicture());
  if (person?.id === "USLACKBOT")
    return h("span", { class: "avatar avatar-slack", style, "aria-hidden": "true" },
      icon("hash", size * 0.6));
  return h("span", { class: "avatar", style: `${style};background:${colour(person?.id ?? "?")}`,
    "aria-hidden": "true" }, initials(person?.name ?? "?"));
}
