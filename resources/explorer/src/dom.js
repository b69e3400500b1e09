/** Building elements. Text only ever enters as text nodes: nothing of a song is read as HTML. */

/**
 * An element with properties, attributes (`aria-…`, `role`, …), listeners (`onclick`) and children.
 * Children are elements or text; null, undefined and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key === "class") element.className = value;
    else if (key === "style") Object.assign(element.style, value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.startsWith("aria") && key !== "role" && key !== "list")
      element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace what is in `element`. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text of a song in whatever direction its script runs. */
export const told = (text, properties = {}) =>
  h("span", { dir: "auto", ...properties }, text);

/** A labelled select; `options` are [value, label] or { group, options }. */
export function select(label, options, value, onchange, properties = {}) {
  const item = ([key, text]) => h("option", { value: key, selected: key === value }, text);
  const element = h(
    "select",
    { onchange: () => onchange(element.value), ...properties },
    options.map((option) =>
      Array.isArray(option)
        ? item(option)
        : h("optgroup", { label: option.group }, option.options.map(item)),
    ),
  );
  return h("label", { class: "field" }, h("span", { class: "field-name" }, label), element);
}

const PATHS = {
  play: "M5 3.5v9l8-4.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  previous: "M4 3h2v10H4zM13 3.5v9L6.5 8z",
  next: "M10 3h2v10h-2zM3 3.5v9L9.5 8z",
  lasso: "M8 2.5c3.2 0 5.5 1.6 5.5 3.9S11.2 10.3 8 10.3c-.9 0-1.7-.1-2.4-.4M8 2.5c-3.2 0-5.5 1.6-5.5 3.9 0 1.4.9 2.6 2.3 3.3M5.6 9.9c.9.3 1.4 1 1 1.9-.3.8-1.1 1.4-2.1 1.7",
  home: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  split: "M2.5 3h11v10h-11zM8 3v10",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.2 3.2",
  close: "M4 4l8 8M12 4l-8 8",
};
const FILLED = new Set(["play", "pause", "previous", "next"]);

/** A drawn icon, hidden from screen readers: its button has a name. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", FILLED.has(name) ? "icon filled" : "icon");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and a name (its tooltip too). */
export const iconButton = (name, label, onclick, properties = {}) =>
  h(
    "button",
    { type: "button", class: "icon-button", title: label, "aria-label": label, onclick, ...properties },
    icon(name),
  );
