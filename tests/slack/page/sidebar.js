// The side bar: the inbox, channels, direct messages, and who looks.

import { avatar } from "./avatar.js";
import { $, h, keep } from "./dom.js";
import { icon } from "./icons.js";
import { collect } from "./messages.js";
import { lastRead, myMails, store } from "./store.js";

// New messages in a channel since it was last looked at, threads included; mentions count apart.
export function unread(channel) {
  const { state, me } = store;
  const seen = lastRead(channel.id);
  const fresh = collect(state, channel.id).concat(
    (state.messages[channel.id] ?? []).filter((m) => m.thread_ts && m.thread_ts !== m.ts))
    .filter((m) => m.ts > seen && m.user !== me);
  const mine = fresh.filter((m) => m.ephemeral_for === me || channel.is_im
    || JSON.stringify(m).includes(`<@${me}>`));
  return { fresh: new Set(fresh.map((m) => m.ts)).size, mine: new Set(mine.map((m) => m.ts)).size };
}

export const mailKey = (mail) => `${mail.at} ${mail.id}`;
export const unreadMails = () => {
  const seen = lastRead("inbox");
  return myMails().filter((m) => String(m.at) > seen).length;
};

function row(attributes, sign, name, { fresh = 0, mine = 0, here }) {
  return h("a", { class: ["row", here && "here", fresh > 0 && "fresh"].filter(Boolean).join(" "),
    "aria-current": here ? "page" : null, ...attributes },
  sign, h("span", { class: "row-name" }, name),
  mine > 0 && h("span", { class: "count", "aria-label": `${mine} new` }, mine));
}

export function drawSidebar(place) {
  const { state } = store;
  const channels = state.channels.filter((c) => !c.is_im && !c.archived)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const direct = state.channels.find((c) => c.is_im && c.user === store.me);
  const app = state.people.find((p) => p.is_bot);
  const line = (channel, sign, name) => {
    const here = channel.id === place.channel;
    const news = here && document.hasFocus() ? {} : unread(channel);
    return { key: channel.id, print: JSON.stringify([channel.name, news, here]), make: () =>
      row({ href: `#${channel.id}`, "data-channel": channel.id }, sign(), name, { ...news, here }) };
  };
  const title = (text) => ({ key: text, print: text, make: () => h("h2", { class: "row-title" }, text) });
  const mails = unreadMails(), inbox = place.channel === "inbox";
  keep($("sidebar"), [
    { key: "head", print: state.team.name, make: () =>
      h("div", { class: "team" }, h("span", { class: "team-sign", "aria-hidden": "true" },
        state.team.name[0]), h("b", {}, state.team.name)) },
    { key: "inbox", print: `${mails} ${inbox}`, make: () =>
      row({ href: "#inbox", "data-place": "inbox", "data-unread": mails }, icon("mail"), "Inbox",
        { fresh: mails, mine: mails, here: inbox }) },
    title("Channels"),
    ...channels.map((c) => line(c, () => icon(c.is_private ? "lock" : "hash"), c.name)),
    ...(direct ? [title("Direct messages"), line(direct, () => avatar(app, 20), app.name)] : []),
    { key: "me", print: JSON.stringify(state.me), make: () => h("div", { class: "me", id: "me" },
      avatar(state.me, 32), h("span", {}, h("b", {}, state.me.name),
        h("small", {}, state.me.email ?? "no mail address"))) },
  ]);
}
