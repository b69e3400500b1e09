/** The list of keys. */
import { h } from "./dom.js";

const KEYS = [
  ["/", "search"],
  ["Space", "play and pause"],
  ["[ and ]", "window before, window after"],
  ["Arrows", "on the map: to the next point"],
  ["Enter", "on the map: play the point"],
  ["S", "on the map: select the point, or not"],
  ["Shift and arrows", "move the map"],
  ["+ and −", "zoom"],
  ["0", "show everything"],
  ["L", "lasso, or move"],
  ["C", "one map, or two"],
  ["Esc", "clear the selection"],
  ["?", "these keys"],
];

export function helpDialog() {
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keys"),
    h("dl", {}, KEYS.map(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)])),
    h("p", { class: "muted" }, "Neighbours on a map are alike; axes, orientation and distances between far groups mean nothing. The page loads nothing from the network."),
    h("form", { method: "dialog" }, h("button", { class: "button" }, "Close")),
  );
  return dialog;
}
