// Elements without HTML text: whatever a message holds ends up in a text node or an attribute.

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// h("b", {class: "name", onclick: f}, "text", otherNode)
export function h(tag, attributes = {}, ...children) {
  return put(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// Makes the children of `parent` be `items` ({key, print, make}), in order. A child whose print is
// what it was stays untouched, with its focus, its selection and its open menus.
export function keep(parent, items) {
  const old = new Map([...parent.children].map((child) => [child.kept?.key, child]));
  let at = parent.firstElementChild;
  for (const { key, print, make } of items) {
    let node = old.get(key);
    if (!node || node.kept.print !== print) {
      const fresh = make(node);
      fresh.kept = { key, print };
      if (node) {
        if (node === at) at = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    old.delete(key);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const [, child] of old) child.remove();
}

// Only addresses that a browser may follow or load without running anything.
export function safeUrl(text) {
  return /^(https?:\/\/|mailto:)/i.test(text) ? text : null;
}

export const $ = (id) => document.getElementById(id);
