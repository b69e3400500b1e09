/** What colours and shapes mean on one map; a class is hidden and shown by its button. */
import { MISSING, SHAPES, css, look, palette, ramp } from "./colours.js";
import { fill, h } from "./dom.js";
import { state, tell } from "./state.js";

const MOST = 40;

const FORMS = {
  circle: "M8 2.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 1 1 0-11.6z",
  square: "M2.6 2.6h10.8v10.8H2.6z",
  triangle: "M8 1.8L14.6 14H1.4z",
  diamond: "M8 1l7 7-7 7-7-7z",
  plus: "M5.6 1.2h4.8v4.4h4.4v4.8h-4.4v4.4H5.6v-4.4H1.2V5.6h4.4z",
  "down triangle": "M8 14.2L1.4 2h13.2z",
  cross: "M4 .8l4 4 4-4 3.2 3.2-4 4 4 4-3.2 3.2-4-4-4 4L.8 12l4-4-4-4z",
  ring: "M8 1.6a6.4 6.4 0 1 1 0 12.8a6.4 6.4 0 1 1 0-12.8zM8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6z",
};

export function glyph(shape, colour) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", FORMS[SHAPES[shape]]);
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("fill", colour);
  svg.append(path);
  return svg;
}

/** Fill `element` with the legend of a map view. */
export function drawLegend(element, view) {
  const { colour, shape } = view;
  if (!colour) return;
  const missing = state.dark ? MISSING.dark : MISSING.light;
  const parts = [];
  if (colour.kind === "classes") {
    const item = (code, name, count) => {
      const { colour: value, shape: form } = look(code, state.dark);
      const hidden = state.hidden.has(code);
      return h(
        "button",
        {
          type: "button",
          class: "legend-item",
          "aria-pressed": String(!hidden),
          title: hidden ? "Show" : "Hide",
          data: { code: String(code) },
          onclick: () => {
            if (!state.hidden.delete(code)) state.hidden.add(code);
            tell("look");
          },
        },
        glyph(shape ? 0 : form, code < 0 ? missing : css(value)),
        h("span", { dir: "auto" }, name),
        h("span", { class: "muted" }, count.toLocaleString("en")),
      );
    };
    const present = shown(colour);
    parts.push(...present.slice(0, MOST).map((one) => item(...one)));
    if (present.length > MOST) parts.push(h("span", { class: "muted" }, `and ${present.length - MOST} more`));
    if (colour.unknown) parts.push(item(-1, colour.unknownName, colour.unknown));
  } else {
    const bar = h("canvas", { width: 160, height: 10, class: "ramp", "aria-hidden": "true" });
    const context = bar.getContext("2d");
    for (let x = 0; x < 160; x++) {
      context.fillStyle = css(ramp(x / 159, state.dark));
      context.fillRect(x, 0, 1, 10);
    }
    const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
    parts.push(
      h("span", {}, `${colour.title} ${number(colour.low)}`),
      bar,
      h("span", {}, `${number(colour.high)} ${colour.unit}`),
    );
    if (colour.unknown) parts.push(h("span", { class: "muted" }, `${colour.unknown} not known (grey)`));
  }
  if (shape && colour.kind === "classes" && shown(colour).length > palette(state.dark).length)
    parts.push(h("span", { class: "muted" }, "Colours repeat while shapes show another label: point to tell them apart."));
  if (shape)
    parts.push(
      h("span", { class: "legend-break" }),
      ...shape.names.map((name, code) =>
        h("span", { class: "legend-item still" }, glyph(code % SHAPES.length, "currentColor"), h("span", { dir: "auto" }, name)),
      ),
    );
  fill(element, parts);
}

/** Classes that have points: [code, name, count]. */
const shown = (colour) =>
  colour.names.map((name, code) => [code, name, colour.counts[code]]).filter(([, , count]) => count);
