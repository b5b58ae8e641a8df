// The plan block and its task cards.

import { h, svg } from "./dom.js";
import { icon } from "./icons.js";
import { link } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const WORDS = { pending: "not begun", in_progress: "in progress", complete: "done", error: "failed" };

function sign(status) {
  const inner = {
    complete: () => icon("check", 14), error: () => icon("cross", 14),
    in_progress: () => svg("svg", { viewBox: "0 0 20 20", width: 18, height: 18, class: "spinner" },
      svg("circle", { cx: 10, cy: 10, r: 8, fill: "none", stroke: "currentColor",
        "stroke-width": 2.2, "stroke-dasharray": "32 20", "stroke-linecap": "round" })),
  }[status];
  return h("span", { class: `sign sign-${status}`, role: "img", "aria-label": WORDS[status] },
    inner?.());
}

export function taskCard(task, world) {
  const status = Object.hasOwn(WORDS, task.status ?? "") ? task.status : "pending";
  return h("li", { class: `task task-${status}`, "data-task": task.task_id, "data-status": status },
    sign(status),
    h("div", { class: "task-text" },
      h("div", { class: "task-title" }, task.title),
      task.details && h("div", { class: "task-details" }, richText(task.details, world)),
      task.output && h("div", { class: "task-output" }, richText(task.output, world)),
      task.sources && h("div", { class: "task-sources" },
        task.sources.map((s) => link(s.url, s.text, world)))));
}

export function plan(block, world) {
  const tasks = block.tasks ?? [];
  const done = tasks.filter((t) => t.status === "complete").length;
  return h("details", { class: "block plan", open: true },
    h("summary", {}, h("span", { class: "plan-title" }, block.title),
      tasks.length > 0 && h("span", { class: "plan-count" }, `${done} of ${tasks.length}`),
      icon("chevron", 16)),
    h("ol", { class: "tasks" }, tasks.map((t) => taskCard(t, world))));
}
