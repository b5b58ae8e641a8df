// The page: who looks, at which place, and what changes.
//
// What tests and tours can rely on:
//   body[data-me] [data-place] [data-seq] [data-ready]     who looks, where, at which state
//   #people [data-person=U0DEV]   #people-more             the switch between people
//   #sidebar [data-channel=C0PAY] [data-place=inbox][data-unread]    places; .count what is new
//   #messages [data-ts] [data-day]   #thread-messages [data-ts]      messages; .ephemeral, .notice
//   [data-replies=TS] opens a thread   #thread  #thread-close
//   [data-action=approve]         a button, inside its message (.waiting until it is acked)
//   .plan [data-task] [data-status]  .table  .chart[data-chart]  .mention[data-mention]
//   #box, #box-send, #thread-box  message boxes   .hint [data-try]
//   #modal[data-view=create] [data-block=name] .field-error  #modal-submit  #modal-close
//   #confirm  #confirm-yes  #confirm-no
//   #inbox [data-mail] [data-mail-open] [data-tab=text]
//   [data-file]  #viewer  #viewer-close
// The address is /?as=PERSON#PLACE/TS: a channel's id or "inbox", and the message that is open.

import { avatar } from "./avatar.js";
import { drawComposer } from "./composer.js";
import { $, h, keep } from "./dom.js";
import { openFile } from "./files.js";
import { icon } from "./icons.js";
import { drawInbox } from "./inbox.js";
import { drawMessages } from "./messages.js";
import { confirmed, drawModal } from "./modal.js";
import { drawPeople } from "./people.js";
import { drawSidebar } from "./sidebar.js";
import { become, markRead, post, start, store, watch, world } from "./store.js";

const place = { channel: null, thread: null };
let shownAt = null;  // person and place that were drawn last: another one begins at its end

// -- places -----------------------------------------------------------------------------------------
function readAddress() {
  const [channel, ts] = location.hash.slice(1).split("/");
  place.channel = channel || null;
  place.thread = ts || null;
}

function go(channel, thread = null) {
  history.pushState(null, "", `${location.search}#${channel}${thread ? `/${thread}` : ""}`);
  readAddress();
  draw();
}

// Opens an address of this workspace in place; false for all others.
function follow(url) {
  const { hostname, pathname } = new URL(url);
  const found = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(pathname);
  if (!found || hostname !== location.hostname) return false;
  if (!store.state.channels.some((c) => c.id === found[1])) return false;
  const ts = `${found[2]}.${found[3]}`;
  const message = store.state.messages[found[1]]?.find((m) => m.ts === ts);
  go(found[1], message?.thread_ts ?? ts);
  return true;
}

async function choose(person) {
  if (person === store.me) return;
  localStorage.setItem("me", person);
  history.replaceState(null, "", `/?as=${person}${location.hash}`);
  await become(person);
  draw();
}

// The place that is shown: the wanted one, or the first that this person may see.
function current() {
  const { channels } = store.state;
  if (place.channel === "inbox") return { channel: "inbox" };
  const found = channels.find((c) => c.id === place.channel)
    ?? (place.channel?.startsWith("D") ? channels.find((c) => c.is_im) : null)
    ?? channels.find((c) => c.name === "general") ?? channels.find((c) => !c.is_im) ?? channels[0];
  const thread = found?.id === place.channel && place.thread
    && store.state.messages[found.id].some((m) => m.ts === place.thread) ? place.thread : null;
  return { channel: found?.id ?? null, thread, found };
}

// -- acting -----------------------------------------------------------------------------------------
async function act(message, block, element, node, selected) {
  if (node.classList.contains("waiting") || !(await confirmed(element.confirm, world(follow)))) return;
  const buttons = [...(node.closest("[data-ts]") ?? node).querySelectorAll("[data-action]")];
  node.classList.add("waiting");
  buttons.forEach((b) => { b.disabled = true; });
  const answer = await post("/control/click", { user: store.me, channel: message.channel,
    ts: message.ts, action_id: element.action_id, block_id: block.block_id, value: element.value,
    selected }).catch(() => ({ outcome: "timeout" }));
  node.classList.remove("waiting");
  node.classList.toggle("failed", answer.outcome !== "acked");
  buttons.forEach((b) => { b.disabled = false; });
}

// -- drawing ----------------------------------------------------------------------------------------
function drawHead(found, app) {
  const direct = found.is_im;
  keep($("channel-head"), [{ key: found.id, print: JSON.stringify(found), make: () =>
    h("div", { class: "place-head" },
      direct ? avatar(app, 24) : icon(found.is_private ? "lock" : "hash", 20),
      h("h1", {}, direct ? app.name : found.name),
      direct && h("span", { class: "badge" }, "App"),
      !direct && h("span", { class: "quiet members" }, icon("people", 16), found.members.length)) }]);
}

function drawIntro(found, app) {
  const name = found.is_im ? app.name : `#${found.name}`;
  const words = found.is_im ? `This is between you and ${app.name}. It writes here what concerns only you.`
    : `This is the very beginning of ${name}.`;
  const box = () => $("box");
  keep($("intro"), [{ key: found.id, print: found.name, make: () => h("div", { class: "intro" },
    h("h2", {}, name), h("p", {}, words),
    !found.is_im && h("p", { class: "quiet" }, "Type ", h("button", { type: "button", class: "try",
      onclick: () => { box().value = `${store.app.command} help`; box().focus(); } },
    `${store.app.command} help`), ` to see what ${app.name} does.`)) }]);
}

const toEnd = (id) => () => { $(id).scrollTop = $(id).scrollHeight; };

// Keeps the end in view while it is, and begins at the end of a new place.
function atEnd(scroll, fresh, drawing) {
  const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const count = drawing();
  if (fresh || near) scroll.scrollTop = scroll.scrollHeight;
  return count;
}

// And when the window or the message box changes its height, or the lines break anew.
function stayAtEnd(id) {
  const scroll = $(id);
  let end = true;
  scroll.addEventListener("scroll", () => {
    end = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  });
  new ResizeObserver(() => { if (end) toEnd(id)(); }).observe(scroll);
}

function drawChannel({ channel, thread, found }, options, fresh) {
  const { state } = store;
  const app = state.people.find((p) => p.is_bot);
  drawHead(found, app);
  drawIntro(found, app);
  const all = atEnd($("scroll"), fresh, () =>
    drawMessages($("messages"), state, { ...options, channel, thread: null }));
  const name = found.is_im ? app.name : `#${found.name}`;
  const closed = found.is_im && store.app.read_only
    ? "Sending messages to this app has been turned off. Its command works in every channel." : null;
  drawComposer($("composer"), { place: channel, id: "box", name, closed,
    toEnd: toEnd("scroll") });
  $("thread").hidden = !thread;
  const replies = (state.messages[channel] ?? []).filter((m) => m.thread_ts);
  if (document.hasFocus() || fresh)
    markRead(channel, [...all, ...replies].reduce((last, m) => (m.ts > last ? m.ts : last), "0"));
  if (thread) drawThread(channel, thread, name, closed, options, fresh);
  if (fresh) $(thread ? "thread-box" : "box")?.focus();
}

function drawThread(channel, thread, name, closed, options, fresh) {
  keep($("thread-head"), [{ key: thread, print: name, make: () => h("div", { class: "place-head" },
    h("h1", {}, "Thread"), h("span", { class: "quiet" }, name),
    h("button", { type: "button", class: "icon-button", id: "thread-close",
      "aria-label": "Close the thread", onclick: () => go(channel) }, icon("close"))) }]);
  atEnd($("thread-scroll"), fresh, () => {
    drawMessages($("thread-messages"), store.state, { ...options, channel, thread });
    drawComposer($("thread-composer"), { place: channel, thread, id: "thread-box", name, closed,
      toEnd: toEnd("thread-scroll") });
  });
}

function draw() {
  const { state } = store;
  if (state?.me?.id !== store.me) return;  // the next person's view is on its way
  const at = current();
  const tells = world(follow);
  const key = `${store.me} ${at.channel} ${at.thread ?? ""}`;
  const fresh = key !== shownAt;
  shownAt = key;
  const name = at.channel === "inbox" ? "Inbox" : at.found?.name || store.app.name;
  document.title = `${name} · ${state.team.name}`;
  $("away").hidden = !store.away;
  $("inbox").hidden = at.channel !== "inbox";
  $("channel").hidden = at.channel === "inbox";
  if (at.channel === "inbox") {
    $("thread").hidden = true;
    const mails = drawInbox($("inbox"), { tz: tells.tz, follow, redraw: draw });
    if (mails.length) markRead("inbox", String(mails[0].at));
  } else if (at.found) {
    drawChannel(at, { world: tells, act, openFile, openThread: (ts) => go(at.channel, ts) }, fresh);
  } else {
    drawNowhere();
  }
  drawPeople(state, store.me, choose);
  drawSidebar(at);
  drawModal(state.views, store.me, tells);
  Object.assign(document.body.dataset, { me: store.me, place: at.channel ?? "", seq: state.seq,
    ready: "yes" });
}

function drawNowhere() {
  for (const id of ["channel-head", "intro", "messages", "composer"]) $(id).replaceChildren();
  $("composer").drawn = null;
  $("thread").hidden = true;
  $("intro").append(h("div", { class: "nothing" },
    h("p", {}, `${store.state.me.name} is in no channel of this workspace.`)));
}

// -- start ------------------------------------------------------------------------------------------
const asked = new URLSearchParams(location.search).get("as");
readAddress();
await start([asked, localStorage.getItem("me"), "U0DEV"]);
draw();
for (const id of ["scroll", "thread-scroll"]) stayAtEnd(id);
$("menu").append(icon("menu"));
$("menu").addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  $("menu").setAttribute("aria-expanded", String(open));
});
window.addEventListener("hashchange", () => { readAddress(); draw(); });
window.addEventListener("popstate", () => { readAddress(); draw(); });
window.addEventListener("focus", draw);
document.addEventListener("click", (event) => {
  const more = document.querySelector(".more[open]");
  if (more && !more.contains(event.target)) more.open = false;
});
$("sidebar").addEventListener("click", () => document.body.classList.remove("menu-open"));
setInterval(draw, 30_000);  // "2 minutes ago"
watch(draw);
