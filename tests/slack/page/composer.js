// The box under a channel and under a thread: plain words, and the app's command.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { post, store } from "./store.js";

const drafts = new Map();   // person and place -> what is typed and not sent
const sent = new Map();     // person -> what was sent, oldest first
const TRY = ["help", "create small demo", "create", "list", "quota"];

// As Slack hands on what was typed.
const escaped = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

async function send(text, place, thread) {
  const { me, app } = store;
  const [word] = text.split(/\s/, 1);
  if (word === app.command && !thread)
    return post("/control/command", { user: me, channel: place,
      text: escaped(text.slice(word.length).trim()) });
  return post("/control/say", { user: me, channel: place, text, thread_ts: thread });
}

function hint(fill) {
  const { app } = store;
  return h("div", { class: "hint", role: "note" },
    h("div", { class: "hint-command" }, h("b", {}, app.command),
      h("span", { class: "quiet" }, app.usage_hint)),
    h("div", { class: "quiet" }, `${app.description} · by ${app.name}`),
    h("div", { class: "hint-try" }, TRY.map((words) => {
      const text = `${app.command} ${words}`;
      return h("button", { type: "button", class: "try", "data-try": words,
        onmousedown: (event) => event.preventDefault(), onclick: () => fill(text) }, text);
    })));
}

// Draws the box into `parent` once for each person and place; later calls leave it alone.
export function drawComposer(parent, { place, thread, id, name, closed, toEnd }) {
  const key = `${store.me} ${place} ${thread ?? ""} ${closed ?? ""}`;
  if (parent.drawn === key) return;
  parent.drawn = key;
  if (closed) {
    parent.replaceChildren(h("div", { class: "composer-closed" }, closed));
    return;
  }
  const history = sent.get(store.me) ?? [];
  sent.set(store.me, history);
  let recalled = history.length;
  let last = Promise.resolve();  // what was sent last

  const box = h("textarea", { id, rows: 1, value: drafts.get(key) ?? "", spellcheck: "false",
    autocomplete: "off", placeholder: thread ? "Reply…" : `Message ${name}`,
    "aria-label": thread ? "Reply" : `Message ${name}`, oninput: changed, onkeydown: pressed,
    onfocus: changed, onblur: () => popover.replaceChildren() });
  const popover = h("div", { class: "popover" });
  const button = h("button", { type: "button", class: "send", id: `${id}-send`,
    "aria-label": "Send", onclick: submit }, icon("send"));
  const frame = h("div", { class: "composer" }, popover, box,
    h("div", { class: "composer-foot" },
      h("span", { class: "quiet", "aria-hidden": "true" }, thread ? "Enter to send"
        : `Enter to send · ${store.app.command} for the app · ↑ for what you sent before`), button));

  function changed() {
    drafts.set(key, box.value);
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
    button.classList.toggle("can", box.value.trim() !== "");
    const asks = !thread && box.value.startsWith("/") && document.activeElement === box
      && `${store.app.command} `.startsWith(box.value.slice(0, store.app.command.length + 1));
    if (asks && !popover.firstChild) popover.replaceChildren(hint(fill));
    if (!asks) popover.replaceChildren();
  }
  function fill(text) {
    box.value = text;
    box.focus();
    box.setSelectionRange(text.length, text.length);
    changed();
  }
  function recall(by) {
    const next = recalled + by;
    if (next < 0 || next > history.length) return;
    recalled = next;
    fill(history[recalled] ?? "");
  }
  function pressed(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape") {
      popover.replaceChildren();
    } else if (event.key === "ArrowUp" && (box.value === "" || box.value === history[recalled])) {
      event.preventDefault();
      recall(-1);
    } else if (event.key === "ArrowDown" && recalled < history.length
      && box.value === history[recalled]) {
      event.preventDefault();
      recall(1);
    }
  }
  // What is sent while something is still on its way waits for it: in order, and nothing is lost.
  async function submit() {
    const text = box.value.trim();
    if (!text) return;
    if (history[history.length - 1] !== text) history.push(text);
    recalled = history.length;
    fill("");
    popover.replaceChildren();
    frame.classList.add("sending");
    toEnd();
    const mine = last = last.then(() => send(text, place, thread))
      .catch(() => fill(box.value ? `${text}\n${box.value}` : text));  // nothing arrived
    await mine;
    if (mine === last) frame.classList.remove("sending");
  }
  parent.replaceChildren(frame);
  changed();
}
