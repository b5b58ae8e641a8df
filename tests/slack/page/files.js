// Uploaded files: a card in the message, and a window that shows the content.

import { $, h } from "./dom.js";
import { icon } from "./icons.js";
import { table } from "./table.js";

const KINDS = { csv: "CSV", log: "Log", txt: "Plain text", json: "JSON", yaml: "YAML", yml: "YAML" };
const ending = (name) => name.split(".").pop().toLowerCase();

function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} kB`
    : `${(bytes / (1 << 20)).toFixed(1)} MB`;
}

export function fileCard(file, open) {
  const kind = KINDS[ending(file.name)] ?? "File";
  return h("button", { class: "file", type: "button", "data-file": file.id, onclick: () => open(file),
    "aria-label": `Open ${file.title ?? file.name}` },
  h("span", { class: `file-icon file-${ending(file.name)}` }, icon("file", 22)),
  h("span", { class: "file-words" }, h("b", {}, file.title ?? file.name),
    h("span", { class: "quiet" }, `${kind} · ${size(file.length)}`)));
}

// RFC 4180: quoted fields, doubled quotes, line breaks inside quotes.
export function readCsv(text) {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const row = rows[rows.length - 1], c = text[i];
    if (quoted && c === '"' && text[i + 1] === '"') row[row.length - 1] += text[++i];
    else if (c === '"') quoted = !quoted;
    else if (!quoted && c === ",") row.push("");
    else if (!quoted && c === "\n") rows.push([""]);
    else if (quoted || c !== "\r") row[row.length - 1] += c;
  }
  return rows.filter((row) => row.length > 1 || row[0]);
}

function csvTable(text) {
  const rows = readCsv(text);
  const number = (i) => rows.slice(1).every((row) => /^-?[\d.,]*$/.test(row[i] ?? ""));
  return table({ rows: rows.map((row) => row.map((cell) => ({ type: "raw_text", text: cell }))),
    column_settings: (rows[0] ?? []).map((_, i) => ({ align: number(i) ? "right" : "left" })) });
}

export async function openFile(file) {
  const held = await (await fetch(`/control/files/${encodeURIComponent(file.id)}`)).json();
  const content = held.content ?? "";
  const address = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  const dialog = $("viewer");
  const close = () => dialog.close();
  dialog.onclose = () => URL.revokeObjectURL(address);
  dialog.replaceChildren(
    h("header", { class: "dialog-head" }, h("h2", {}, file.title ?? file.name),
      h("a", { class: "icon-button", href: address, download: file.name, "aria-label": "Download" },
        icon("download")),
      h("button", { class: "icon-button", type: "button", id: "viewer-close", "aria-label": "Close",
        onclick: close }, icon("close"))),
    h("div", { class: "viewer-body", tabindex: 0 }, ending(file.name) === "csv" && content
      ? csvTable(content) : h("pre", {}, content || "(empty)")));
  dialog.showModal();
}
