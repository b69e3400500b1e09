/** Tabs of the side panel, after the ARIA pattern: arrows move, one tab stop. */
import { h } from "./dom.js";

/** `panels` are { id, name, element, shown? }; `show(id)` brings one to the front. */
export function tabs(panels, label) {
  const buttons = panels.map(({ id, name }) =>
    h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => show(id) }, name),
  );
  const bodies = panels.map(({ id, element }) =>
    h("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, class: "tab-body" }, element),
  );
  function show(id, focus = false) {
    panels.forEach((panel, i) => {
      const chosen = panel.id === id;
      buttons[i].setAttribute("aria-selected", String(chosen));
      buttons[i].tabIndex = chosen ? 0 : -1;
      bodies[i].hidden = !chosen;
      panel.shown?.(chosen);
      if (chosen && focus) buttons[i].focus();
    });
  }
  const list = h("div", { role: "tablist", "aria-label": label, class: "tabs" }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    show(panels[(at + step + panels.length) % panels.length].id, true);
    event.preventDefault();
  });
  show(panels[0].id);
  return { list, bodies, show, button: (id) => buttons[panels.findIndex((panel) => panel.id === id)] };
}
