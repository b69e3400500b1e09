/** Colours that colour-blind readers can tell apart; shapes where colours do not suffice. */

/** Okabe and Ito (2008), as in the run's figures; black gives way to grey-white on dark ground. */
const LIGHT = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#222222"];
const DARK = ["#3D9BE0", "#F0AE2A", "#1DB98C", "#F07A2E", "#DD93BB", "#8CCBF2", "#F0E442", "#F2F2F2"];
export const MISSING = { light: "#B4B8BE", dark: "#5A606B" };

/** Ground of the map: the variable `--paper` of the style sheet. */
export const PAPER = { light: "#FFFFFF", dark: "#15181D" };

export const SHAPES = ["circle", "square", "triangle", "diamond", "plus", "down triangle", "cross", "ring"];

/** viridis, eleven stops: even in lightness, so it reads in grey too. */
const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];

export const palette = (dark) => (dark ? DARK : LIGHT);

export function rgb(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

const DARKEST_ON_DARK = 0.22; // of the scale: what is darker would sink into a dark ground

/** Colour of a share of the scale, 0 to 1. */
export function ramp(share, dark) {
  const least = dark ? DARKEST_ON_DARK : 0;
  const at = (least + (1 - least) * Math.min(Math.max(share, 0), 1)) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((value, i) => Math.round(value + (VIRIDIS[low + 1][i] - value) * (at - low)));
}

/** Colour and shape of class `code`: shapes change when the colours are used up. */
export function look(code, dark) {
  if (code < 0) return { colour: rgb(dark ? MISSING.dark : MISSING.light), shape: 0 };
  const colours = palette(dark);
  return {
    colour: rgb(colours[code % colours.length]),
    shape: Math.floor(code / colours.length) % SHAPES.length,
  };
}
