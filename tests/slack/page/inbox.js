// The person's mails, newest first, and the one that is open.

import { avatar } from "./avatar.js";
import { clock, dayLabel, full } from "./dates.js";
import { h, keep } from "./dom.js";
import { icon } from "./icons.js";
import { mailKey } from "./sidebar.js";
import { myMails, store } from "./store.js";

let open = null;    // mailKey of the mail that is open
let plain = false;  // its text instead of its HTML

const moment = (mail) => new Date(mail.at * 1000);

function when(mail, tz) {
  const date = moment(mail), day = dayLabel(date, tz);
  return day === "Today" ? clock(date, tz) : day;
}

// The mail's own HTML, in a frame in which no script can run.
function letter(mail, follow) {
  const frame = h("iframe", { class: "letter", sandbox: "allow-same-origin", title: mail.subject,
    srcdoc: mail.html });
  frame.addEventListener("load", () => {
    const inside = frame.contentDocument;
    frame.style.height = `${inside.documentElement.scrollHeight + 8}px`;
    inside.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href]");
      if (!link) return;
      event.preventDefault();
      if (!follow(link.href)) window.open(link.href, "_blank", "noopener");
    });
  });
  return frame;
}

// Mail as text: addresses can be followed.
function words(mail, follow) {
  return h("pre", { class: "letter-text" }, mail.text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) =>
    (i % 2 ? h("a", { href: part, target: "_blank", rel: "noopener",
      onclick: (event) => follow(part) && event.preventDefault() }, part) : part)));
}

function reading(mail, tz, follow, redraw) {
  const tab = (name, on) => h("button", { type: "button", class: "tab", "aria-pressed": String(plain === on),
    "data-tab": on ? "text" : "html", onclick: () => { plain = on; redraw(); } }, name);
  return h("article", { class: "mail-open", "data-mail-open": mailKey(mail) },
    h("h2", { class: "mail-subject" }, mail.subject),
    h("div", { class: "mail-from" }, avatar({ is_bot: true }, 36),
      h("div", {}, h("b", {}, mail.from), h("div", { class: "quiet" }, `to ${mail.to.join(", ")}`)),
      h("time", { class: "quiet" }, full(moment(mail), tz)),
      mail.html && mail.text && h("div", { class: "tabs" }, tab("Formatted", false), tab("Text", true))),
    mail.html && !plain ? letter(mail, follow) : words(mail, follow));
}

export function drawInbox(parent, { tz, follow, redraw }) {
  const mails = myMails();
  const shown = mails.find((m) => mailKey(m) === open) ?? mails[0];
  const list = mails.map((m) => h("button", { type: "button", class: "mail", "data-mail": m.id,
    "aria-pressed": String(m === shown), onclick: () => { open = mailKey(m); redraw(); } },
  h("span", { class: "mail-line" }, h("b", {}, m.from.replace(/<.*>/, "").trim() || m.from),
    h("time", { class: "quiet" }, when(m, tz))),
  h("span", { class: "mail-title" }, m.subject),
  h("span", { class: "quiet mail-begin" }, m.text.replace(/\s+/g, " ").slice(0, 120))));
  const nothing = store.state.me.email
    ? `No mail yet. ${store.app.name} writes when a cluster is ready, before it ends, and when it is gone.`
    : `${store.state.me.name} has no mail address, so there is no mail.`;
  keep(parent, [
    { key: "head", print: store.me, make: () => h("header", { class: "place-head" }, icon("mail", 20),
      h("h1", {}, "Inbox"), h("span", { class: "quiet" }, store.state.me.email ?? "")) },
    { key: "mails", print: JSON.stringify([mails.map(mailKey), shown && mailKey(shown), plain, store.me]),
      make: () => (mails.length
        ? h("div", { class: "mails" }, h("div", { class: "mail-list" }, list),
          reading(shown, tz, follow, redraw))
        : h("div", { class: "nothing" }, icon("mail", 40), h("p", {}, nothing))) },
  ]);
  return mails;
}
