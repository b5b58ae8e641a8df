// Forms of the app: opened, filled, refused at the field, sent, closed. And the confirm dialog.

import { blocks } from "./blocks.js";
import { $, h } from "./dom.js";
import { icon } from "./icons.js";
import { control, initial } from "./inputs.js";
import { textObject } from "./mrkdwn.js";
import { post } from "./store.js";

let held = null;  // {view_id, print, values: {block: {action: value}}}

function inputBlock(block, world, set, dispatch) {
  const { element } = block;
  const id = `input-${block.block_id}`;
  const value = held.values[block.block_id][element.action_id];
  const node = control(element, world, { id, value, onchange: (next) => {
    set(block.block_id, element.action_id, next);
    if (block.dispatch_action) dispatch(element, next);
  } });
  return h("div", { class: "block input-block", "data-block": block.block_id },
    h("label", { class: "label", for: id }, textObject(block.label),
      block.optional && h("span", { class: "quiet" }, " (optional)")),
    node,
    h("div", { class: "field-error", role: "alert" }),
    block.hint && h("div", { class: "field-hint quiet" }, textObject(block.hint)));
}

function fieldErrors(dialog, errors) {
  dialog.querySelectorAll(".input-block").forEach((block) => {
    const text = errors[block.dataset.block] ?? "";
    const place = block.querySelector(".field-error");
    if (place.textContent !== text) place.replaceChildren(...(text ? [icon("warn", 15), text] : []));
    block.classList.toggle("wrong", text !== "");
    block.querySelector(".input")?.setAttribute("aria-invalid", String(text !== ""));
  });
  dialog.querySelector(".modal-error").textContent = errors[""] ?? "";
}

function build(dialog, { view_id: viewId, view }, me, world) {
  const before = held?.view_id === viewId ? held.values : {};
  held = { view_id: viewId, print: JSON.stringify(view), values: {} };
  for (const block of view.blocks.filter((b) => b.type === "input")) {
    const action = block.element.action_id;
    held.values[block.block_id] = {
      [action]: before[block.block_id]?.[action] ?? initial(block.element) };
  }
  const set = (block, action, value) => { held.values[block][action] = value; };
  const dispatch = (element, value) => post("/control/input",
    { user: me, view_id: viewId, action_id: element.action_id, value, values: held.values });
  const close = () => post("/control/close", { user: me, view_id: viewId });
  const submit = async (event) => {
    event.preventDefault();
    if (dialog.classList.contains("sending")) return;
    dialog.classList.add("sending");
    await post("/control/submit", { user: me, view_id: viewId, values: held.values })
      .catch(() => fieldErrors(dialog, { "": "We had some trouble connecting. Try again?" }));
    dialog.classList.remove("sending");
  };
  const act = (block, element, node, value) => dispatch(element, value ?? element.value);
  dialog.oncancel = (event) => {
    event.preventDefault();
    close();
  };
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.dataset.view = view.callback_id;
  dialog.replaceChildren(h("form", { novalidate: true, onsubmit: submit },
    h("header", { class: "dialog-head" },
      h("h2", { id: "modal-title" }, textObject(view.title)),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: close },
        icon("close"))),
    h("div", { class: "modal-error", role: "alert" }),
    h("div", { class: "modal-body" }, view.blocks.map((block) => (block.type === "input"
      ? inputBlock(block, world, set, dispatch) : blocks([block], world, act)))),
    h("footer", { class: "dialog-foot" },
      h("button", { type: "button", class: "button", id: "modal-close", onclick: close },
        textObject(view.close) || "Close"),
      view.submit && h("button", { type: "submit", class: "button button-primary", id: "modal-submit" },
        h("span", { class: "button-words" }, textObject(view.submit))))));
}

// Shows the person's newest form, or none.
export function drawModal(views, me, world) {
  const dialog = $("modal"), top = views[views.length - 1];
  if (!top) {
    held = null;
    if (dialog.open) dialog.close();
    return;
  }
  if (held?.view_id !== top.view_id || held.print !== JSON.stringify(top.view))
    build(dialog, top, me, world);
  fieldErrors(dialog, top.errors ?? {});
  if (!dialog.open) {
    dialog.showModal();
    dialog.querySelector(".modal-body .input, .modal-body input")?.focus();
  }
}

// Asks before a button acts, as its `confirm` says. True when the person goes on.
export function confirmed(ask, world) {
  if (!ask) return Promise.resolve(true);
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const answer = (value) => {
      resolve(value);
      dialog.close();
    };
    dialog.onclose = () => resolve(false);
    dialog.setAttribute("aria-labelledby", "confirm-title");
    dialog.replaceChildren(
      h("header", { class: "dialog-head" }, h("h2", { id: "confirm-title" }, textObject(ask.title))),
      h("div", { class: "modal-body text" }, textObject(ask.text, world)),
      h("footer", { class: "dialog-foot" },
        h("button", { type: "button", class: "button", id: "confirm-no", onclick: () => answer(false) },
          textObject(ask.deny)),
        h("button", { type: "button", id: "confirm-yes", onclick: () => answer(true),
          class: `button ${ask.style === "danger" ? "button-danger-full" : "button-primary"}` },
        textObject(ask.confirm))));
    dialog.showModal();
  });
}
