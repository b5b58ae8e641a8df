// Messages: in a channel, in a thread, from people, from the app, from Slack itself.

import { avatar } from "./avatar.js";
import { blocks } from "./blocks.js";
import { clock, dayLabel, dayOf, full, ago, tsDate } from "./dates.js";
import { h, keep } from "./dom.js";
import { fileCard } from "./files.js";
import { icon } from "./icons.js";
import { mrkdwn } from "./mrkdwn.js";

const TOGETHER = 300;  // seconds within which messages of one author stand together
const SLACKBOT = { id: "USLACKBOT", name: "Slackbot" };

// What stands in a channel, or in one of its threads, oldest first; Slack's own words included.
export function collect(state, channel, thread) {
  const own = (m) => (thread ? m.ts === thread || m.thread_ts === thread
    : !m.thread_ts || m.thread_ts === m.ts || m.reply_broadcast);
  const notices = state.notices.filter((n) => n.channel === channel)
    .map((n) => ({ ...n, user: SLACKBOT.id, ephemeral_for: n.user, notice: true }));
  return [...(state.messages[channel] ?? []), ...notices].filter(own)
    .sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

function author(message, world) {
  return message.notice ? SLACKBOT : world.person(message.user) ?? { id: "?", name: "somebody" };
}

function stamp(message, world, className) {
  const date = tsDate(message.ts);
  return h("time", { class: className, title: full(date, world.tz), datetime: date.toISOString() },
    className === "time" ? clock(date, world.tz) : clock(date, world.tz).replace(/ [AP]M$/, ""));
}

function repliesButton(message, replies, world, open) {
  const last = replies[replies.length - 1];
  const people = [...new Set(replies.map((m) => m.user))].slice(0, 4);
  return h("button", { class: "replies", type: "button", "data-replies": message.ts,
    onclick: () => open(message.ts) },
  people.map((id) => avatar(world.person(id), 24)),
  h("b", {}, `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`),
  h("span", { class: "quiet" }, `Last reply ${ago(tsDate(last.ts))}`), icon("right", 16));
}

function body(message, world, act) {
  if (message.blocks?.length) return blocks(message.blocks, world, act);
  return message.text ? h("div", { class: "text plain" }, mrkdwn(message.text, world)) : null;
}

function message(m, { compact, world, act, openThread, openFile, replies }) {
  const who = author(m, world);
  const app = who.is_bot || m.bot_id;
  return h("article", {
    class: ["message", compact && "compact", m.ephemeral_for && "ephemeral",
      m.notice && "notice"].filter(Boolean).join(" "),
    "data-ts": m.ts, "data-user": who.id, "aria-label": `${who.name} at ${clock(tsDate(m.ts), world.tz)}`,
  },
  h("div", { class: "gutter" }, compact ? stamp(m, world, "time-hover") : avatar(who, 36)),
  h("div", { class: "message-body" },
    m.ephemeral_for && h("div", { class: "only-you" }, icon("eye", 14), "Only visible to you"),
    !compact && h("div", { class: "message-head" }, h("b", { class: "name" }, who.name),
      app && h("span", { class: "badge" }, "App"), stamp(m, world, "time")),
    body(m, world, (...what) => act(m, ...what)),
    m.files?.map((f) => fileCard(f, openFile)),
    replies.length > 0 && repliesButton(m, replies, world, openThread)));
}

// A plan that the reader folded stays folded when the message changes.
function folded(fresh, old) {
  const before = old?.querySelectorAll("details") ?? [];
  fresh.querySelectorAll("details").forEach((node, i) => {
    if (before[i]) node.open = before[i].open;
  });
  return fresh;
}

// Draws a list of messages into `parent`. `options`: channel, thread, world, act(message, block,
// element, node, selected), openThread(ts), openFile(file).
export function drawMessages(parent, state, options) {
  const { channel, thread, world } = options;
  const all = collect(state, channel, thread);
  const items = [];
  let before = null;
  for (const m of all) {
    const date = tsDate(m.ts), day = dayOf(date, world.tz);
    if (!thread && (!before || dayOf(tsDate(before.ts), world.tz) !== day)) {
      const label = dayLabel(date, world.tz);
      items.push({ key: `day ${day}`, print: label, make: () =>
        h("div", { class: "day", role: "separator" }, h("span", {}, label)) });
      before = null;
    }
    const compact = Boolean(before && before.user === m.user && m.ts - before.ts < TOGETHER
      && !before.ephemeral_for === !m.ephemeral_for && !m.ephemeral_for
      && !(thread && before.ts === thread));
    const replies = thread ? [] : (state.messages[channel] ?? []).filter((r) =>
      r.thread_ts === m.ts && r.ts !== m.ts && !r.ephemeral_for);
    const last = replies.length && ago(tsDate(replies[replies.length - 1].ts));
    const print = JSON.stringify([m, compact, replies.length, last, world.me?.id, world.names]);
    items.push({ key: m.ts, print,
      make: (old) => folded(message(m, { ...options, compact, replies }), old) });
    if (thread && m.ts === thread && all.length > 1) {
      const count = all.filter((r) => r.ts !== thread && !r.ephemeral_for).length;
      const words = `${count} ${count === 1 ? "reply" : "replies"}`;
      items.push({ key: "count", print: words, make: () =>
        h("div", { class: "reply-count", role: "separator" }, h("span", {}, words)) });
    }
    before = m;
  }
  keep(parent, items);
  return all;
}
