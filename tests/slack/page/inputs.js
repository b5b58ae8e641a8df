// Input elements of forms and messages: what one looks like and what it is set to.

import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

// What the element is set to before anybody touches it, as /control/submit takes it.
export function initial(element) {
  if (element.initial_option) return element.initial_option.value;
  if (element.initial_options) return element.initial_options.map((o) => o.value);
  return element.initial_value ?? element.initial_date ?? element.initial_time
    ?? element.initial_user ?? element.initial_channel ?? element.initial_conversation ?? null;
}

const options = (element) =>
  element.options ?? (element.option_groups ?? []).flatMap((g) => g.options);

function select(choices, value, element, id, onchange) {
  const words = element.placeholder ? textObject(element.placeholder) : "Choose an option";
  return h("select", { id, class: "input", "data-action": element.action_id,
    onchange: (event) => onchange(event.target.value || null, event.target) },
  h("option", { value: "", disabled: true, selected: !value }, words),
  choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
}

function picks(element, type, value, world, onchange, id) {
  const set = new Set([value ?? []].flat());
  const group = h("div", { class: "picks", role: type === "radio" ? "radiogroup" : "group", id,
    "data-action": element.action_id },
  options(element).map((o) => h("label", { class: "pick" },
    h("input", { type, name: id ?? element.action_id, value: o.value, checked: set.has(o.value),
      onchange: () => {
        const on = [...group.querySelectorAll("input:checked")].map((i) => i.value);
        onchange(type === "radio" ? on[0] ?? null : on, group);
      } }),
    h("span", {}, h("span", {}, textObject(o.text, world)),
      o.description && h("small", {}, textObject(o.description, world))))));
  return group;
}

function typed(element, type, value, onchange, id, more = {}) {
  const long = element.multiline;
  return h(long ? "textarea" : "input", { id, class: "input", type: long ? null : type,
    rows: long ? 4 : null, value: value ?? "", "data-action": element.action_id,
    autocomplete: "off", spellcheck: "false",
    placeholder: element.placeholder && textObject(element.placeholder),
    oninput: (event) => onchange(event.target.value || null, event.target), ...more });
}

// The node of an element. `value` is what it is set to (initial() when not given); onchange gets
// each new value as /control/submit takes it.
export function control(element, world, { value = initial(element), onchange, id } = {}) {
  switch (element.type) {
    case "static_select": case "overflow":
      return select(options(element).map((o) => [o.value, textObject(o.text)]), value, element, id,
        onchange);
    case "multi_static_select": case "checkboxes":
      return picks(element, "checkbox", value, world, onchange, id);
    case "radio_buttons":
      return picks(element, "radio", value, world, onchange, id);
    case "users_select":
      return select(world.people().map((p) => [p.id, p.name]), value, element, id, onchange);
    case "channels_select": case "conversations_select":
      return select(world.channels().map((c) => [c.id, `#${c.name}`]), value, element, id, onchange);
    case "datepicker": return typed(element, "date", value, onchange, id);
    case "timepicker": return typed(element, "time", value, onchange, id);
    case "number_input":
      return typed(element, "text", value, onchange, id, { inputmode: "decimal" });
    case "email_text_input": return typed(element, "email", value, onchange, id);
    case "url_text_input": return typed(element, "url", value, onchange, id);
    case "plain_text_input": return typed(element, "text", value, onchange, id);
    default: return h("span", { class: "unknown" }, `This page does not know “${element.type}”.`);
  }
}
