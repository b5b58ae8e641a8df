// The switch between people: four in the story, the others behind "More".

import { avatar } from "./avatar.js";
import { $, h, keep } from "./dom.js";
import { icon } from "./icons.js";

const STORY = ["U0DEV", "U0APPR", "U0MGR", "U0BYST"];

function note(person, team) {
  if (person.deleted) return "deactivated";
  if (person.team_id !== team) return "another workspace";
  if (person.is_ultra_restricted || person.is_restricted) return "guest";
  return "";
}

export function drawPeople(state, me, choose) {
  const people = state.people.filter((p) => !p.is_bot);
  const story = people.filter((p) => STORY.includes(p.id));
  const others = people.filter((p) => !STORY.includes(p.id));
  const pick = (person, className) => h("button", {
    class: className, type: "button", "data-person": person.id, disabled: person.deleted,
    "aria-pressed": String(person.id === me),
    onclick: (event) => {
      event.currentTarget.closest("details")?.removeAttribute("open");
      choose(person.id);
    },
  }, avatar(person, 22), h("span", {}, person.name),
  note(person, state.team.id) && h("small", {}, note(person, state.team.id)));
  const other = others.find((p) => p.id === me);
  const make = () => h("div", { class: "switch" },
    h("span", { class: "switch-label" }, "You are"),
    story.map((p) => pick(p, "person")), other && pick(other, "person"),
    h("details", { class: "more" },
      h("summary", { id: "people-more", class: "person" }, "More", icon("chevron", 14)),
      h("div", { class: "more-list" }, others.map((p) => pick(p, "person-row")))));
  keep($("people"), [{ key: "all", print: JSON.stringify([people, me]), make }]);
}
