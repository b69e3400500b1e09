/** What the page shows, and who wants to know when it changes. */

const listeners = new Map();

/** Call `listener` whenever one of the space-separated `topics` changes. */
export function on(topics, listener) {
  for (const topic of topics.split(" ")) {
    if (!listeners.has(topic)) listeners.set(topic, []);
    listeners.get(topic).push(listener);
  }
}

/** Tell the listeners of a topic. */
export function tell(topic, detail) {
  for (const listener of listeners.get(topic) ?? []) listener(detail);
}

/**
 * Topics: `maps` (which maps), `look` (colour, shape, theme, hidden classes), `selection`,
 * `current` (what plays), `hover`, `active` (which map the panel speaks of), `tool`.
 */
export const state = {
  run: null,
  maps: [],
  active: 0,
  colour: "language",
  shape: "none",
  hidden: new Set(),
  tool: "pan",
  dark: false,
  current: { song: -1, window: -1 },
  hover: { song: -1, window: -1 },
  selectedWindows: null,
  selectedSongs: null,
  nSelected: 0,
};

export const activeMap = () => state.maps[Math.min(state.active, state.maps.length - 1)];
