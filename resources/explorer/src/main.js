/** Puts the page together. */
import { clusteringOf, colourOptions, shapeOptions } from "./attributes.js";
import { chosenPanel } from "./chosen.js";
import { clustersPanel } from "./clusters.js";
import { SHAPES } from "./colours.js";
import { loadDescriptor, loadModel, loadRun } from "./data.js";
import { decodedPanel } from "./decoded.js";
import { fill, h, iconButton, select } from "./dom.js";
import { playlist } from "./exports.js";
import { feelPanel } from "./feel.js";
import { helpDialog } from "./help.js";
import { drawLegend } from "./legend.js";
import { listenPanel } from "./listen.js";
import { MapView } from "./mapview.js";
import { miniPlayer } from "./mini.js";
import { modelsPanel } from "./models.js";
import * as player from "./player.js";
import { searchField } from "./search.js";
import { clear, selectRows } from "./selection.js";
import { activeMap, on, state, tell } from "./state.js";
import { tabs } from "./tabs.js";
import { many, SAW } from "./text.js";

const PROJECTIONS = { umap: "UMAP", tsne: "t-SNE", pca: "PCA" };
const LEVELS = { window: "Windows", song: "Songs" };

/** A model that lacks more than a tenth of the songs (those without lyrics) is not what opens. */
const MOST_SONGS = 0.9;

const app = document.getElementById("app");

function stored(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(`songatlas-${key}`);
    localStorage.setItem(`songatlas-${key}`, value);
  } catch {
    // A page opened from disk may have no storage; then nothing is remembered.
  }
  return null;
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  state.dark = name === "dark";
}
theme(stored("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

loadRun().then(start, (error) => fill(app, h("p", { class: "failure", role: "alert" }, String(error.message))));

async function start(run) {
  state.run = run;
  clear();
  document.title = `${run.run} – Songatlas explorer`;
  const status = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const say = (text) => {
    status.textContent = text;
  };
  const views = [];
  const panes = h("div", { class: "panes" });

  const actions = {
    say,
    play: (map, row) => (map.level === "window" ? actions.playWindow(row) : actions.playSong(row)),
    playWindow: (row) => {
      player.play(run.windows.song[row], row);
      side.show("listen");
    },
    playSong: (song, at_s = null) => {
      const inside = (row) => run.windows.start_s[row] <= at_s && at_s < run.windows.end_s[row];
      const row = at_s === null ? undefined : run.windowsOf[song].find(inside);
      player.play(song, row ?? player.windowOf(song), row === undefined ? null : at_s);
      side.show("listen");
    },
    showModel: (number) => change(views[Math.min(state.active, views.length - 1)], { model: number }),
    colourBy: async (key) => {
      if (key.startsWith("descriptor:")) await loadDescriptor(run, key.slice("descriptor:".length));
      state.colour = key;
      state.hidden.clear();
      controls();
      tell("look");
    },
  };

  /** Load what a map's choice needs, and show it. */
  async function change(view, wanted) {
    const { map } = view;
    const next = { model: map.model, level: map.level, projection: map.projection, ...wanted };
    const model = run.models[next.model];
    const levels = Object.keys(model.levels);
    if (!levels.includes(next.level)) next.level = levels[0] ?? "window";
    const methods = model.levels[next.level] ?? [];
    if (!methods.includes(next.projection)) next.projection = methods[0];
    view.wanted = next;
    view.element.setAttribute("aria-busy", "true");
    try {
      const data = await loadModel(next.model);
      if (view.wanted !== next) return;
      Object.assign(map, next, {
        model_data: data,
        data: data.levels[next.level] ?? { points: new Int32Array(0), maps: { none: new Float32Array(0) }, of: 0 },
      });
      if (!map.projection) map.projection = "none";
      view.show();
    } catch (error) {
      view.complain(error.message);
    }
    view.element.removeAttribute("aria-busy");
    if (state.colour.startsWith("cluster:") && !views.some((one) => one.map.data && clusteringOf(one.map, state.colour)))
      state.colour = run.attributes[0]?.key ?? "language";
    pickers();
    controls();
    tell("maps");
  }

  function addMap(choice) {
    const map = { model: 0, level: "window", projection: "umap" };
    const view = new MapView(map, actions);
    view.bar = h("div", { class: "map-bar" });
    view.legend = h("div", { class: "legend", role: "group", "aria-label": "Legend: press to hide or show" });
    view.painted = () => drawLegend(view.legend, view);
    view.tools = h("div", { class: "map-tools" },
      iconButton("plus", "Zoom in", () => view.zoom(1.5)),
      iconButton("minus", "Zoom out", () => view.zoom(1 / 1.5)),
      iconButton("home", "Show everything", () => view.home()));
    view.pane = h("section", { class: "pane" }, view.bar, h("div", { class: "map-frame" }, view.element, view.tools), view.legend);
    views.push(view);
    state.maps.push(map);
    panes.append(view.pane);
    panes.classList.toggle("two", views.length === 2);
    return change(view, choice);
  }

  function removeMap() {
    const view = views.pop();
    state.maps.pop();
    view.pane.remove();
    view.positions = null;
    state.active = 0;
    panes.classList.remove("two");
    pickers();
    tell("maps");
  }

  /** Model, level and projection of every map. */
  function pickers() {
    views.forEach((view, i) => {
      const { map } = view;
      const model = run.models[map.model];
      view.element.setAttribute("aria-label", `Map${views.length > 1 ? ` ${i + 1}` : ""} of ${model.name}. Arrow keys move from point to point, Enter plays, S selects, plus and minus zoom, Shift with arrows moves the map, 0 shows everything.`);
      const names = run.models.map((one, number) => [String(number), one.name + (SAW[one.supervision] ? ` (${SAW[one.supervision][0]})` : "")]);
      const focused = view.bar.contains(document.activeElement) ? [...view.bar.querySelectorAll("select")].indexOf(document.activeElement) : -1;
      fill(
        view.bar,
        select("Model", names, String(map.model), (value) => change(view, { model: Number(value) })),
        select("Level", Object.keys(model.levels).map((level) => [level, LEVELS[level]]), map.level, (level) => change(view, { level })),
        select("Projection", (model.levels[map.level] ?? []).map((method) => [method, PROJECTIONS[method]]), map.projection, (projection) => change(view, { projection })),
        h("span", { class: "muted count" }, map.data ? counted(map) : ""),
      );
      if (focused >= 0) view.bar.querySelectorAll("select")[focused].focus();
    });
  }

  function counted(map) {
    const n = map.data.points.length;
    const what = map.level === "window" ? "window" : "song";
    return n < map.data.of ? `${n.toLocaleString("en")} of ${many(map.data.of, what)}` : many(n, what);
  }

  const lookBar = h("div", { class: "look-bar" });
  const tools = h("div", { class: "tool-group" });

  /** Colour, shape and tools, which all maps share. */
  function controls() {
    const map = activeMap();
    if (!map?.data) return;
    const focused = [...lookBar.querySelectorAll("select")].indexOf(document.activeElement);
    fill(
      lookBar,
      select("Colour by", colourOptions(map), state.colour, (value) => actions.colourBy(value), { id: "colour" }),
      select("Shape by", shapeOptions(SHAPES.length), state.shape, (value) => {
        state.shape = value;
        tell("look");
      }, { id: "shape" }),
    );
    if (focused >= 0) lookBar.querySelectorAll("select")[focused].focus();
    const held = tools.contains(document.activeElement) ? document.activeElement.dataset.tool : null;
    fill(
      tools,
      iconButton("lasso", "Lasso: draw around points to select them (L)", () => {
        state.tool = state.tool === "lasso" ? "pan" : "lasso";
        app.classList.toggle("lassoing", state.tool === "lasso");
        controls();
      }, { "aria-pressed": String(state.tool === "lasso"), data: { tool: "lasso" } }),
      iconButton("split", "Two maps side by side (C)", () => compare(), { "aria-pressed": String(views.length === 2), data: { tool: "split" } }),
    );
    if (held) tools.querySelector(`[data-tool=${held}]`).focus();
  }

  function compare() {
    if (views.length === 2) {
      removeMap();
      controls();
      return;
    }
    const { model, level, projection } = views[0].map;
    const other = best().find((number) => number !== model) ?? model;
    addMap({ model: other, level, projection });
  }

  /** Models that place most songs, by falling NMI on the first task, for songs: the first opens. */
  function best() {
    const { rows, columns } = run.comparison;
    const at = columns.indexOf("NMI");
    const ranked = rows
      .filter((row) => row.task === rows[0].task && row.level === "song" && row.supervision !== "labels" && row.values[at] !== null)
      .sort((a, b) => b.values[at] - a.values[at])
      .map((row) => run.models.findIndex((one) => one.name === row.model))
      .filter((number) => number >= 0);
    const most = Math.max(...run.models.map((one) => one.n_songs));
    const whole = (number) => run.models[number].n_songs >= MOST_SONGS * most;
    const all = [...ranked, ...run.models.keys()];
    return [...all.filter(whole), ...all.filter((number) => !whole(number))];
  }

  const listen = listenPanel(actions);
  const clusters = clustersPanel(actions);
  const chosen = chosenPanel(actions);
  const models = modelsPanel(actions);
  const feel = run.musical_time && feelPanel();
  const side = tabs(
    [
      { id: "listen", name: "Listen", element: listen },
      ...(feel ? [{ id: "feel", name: "Feel", ...feel }] : []),
      { id: "clusters", name: "Clusters", ...clusters },
      ...(run.decoded ? [{ id: "decoded", name: "Decoded", ...decodedPanel(actions) }] : []),
      { id: "models", name: "Models", element: models },
      { id: "selection", name: "Selection", ...chosen },
    ],
    "Panels",
  );
  const help = helpDialog();
  const mini = miniPlayer();
  const header = h(
    "header",
    { class: "top" },
    h("h1", {}, "Songatlas ", h("span", { class: "muted run", dir: "auto" }, `${run.corpus} · ${run.run} · ${many(run.nSongs, "song")}, ${many(run.nWindows, "window")}`)),
    searchField(actions),
    h("div", { class: "tool-group" },
      iconButton("moon", "Light or dark", () => {
        theme(state.dark ? "light" : "dark");
        stored("theme", document.documentElement.dataset.theme);
        tell("look");
      }),
      h("button", { type: "button", class: "icon-button", "aria-label": "Keys and help (?)", title: "Keys and help (?)", onclick: () => help.showModal() }, "?")),
  );
  fill(
    app,
    h("a", { class: "skip", href: "#side" }, "Skip the map"),
    header,
    h("main", { class: "body" },
      h("div", { class: "atlas" }, h("div", { class: "atlas-bar" }, lookBar, tools), panes),
      h("aside", { class: "side", id: "side", "aria-label": "Details" }, side.list, ...side.bodies)),
    mini,
    status,
    help,
  );
  if (!run.attributes.some((one) => one.key === state.colour)) state.colour = run.attributes[0]?.key ?? "";

  on("active", controls);
  on("look", () => controls());
  on("selection", () => {
    side.button("selection").replaceChildren("Selection", state.nSelected ? h("span", { class: "badge" }, state.nSelected.toLocaleString("en")) : "");
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input[type=search], select, dialog");
    const pressing = event.target.closest?.("button, input, a");
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (event.key === "/") document.getElementById("search").focus();
    else if (event.key === " " && !pressing) player.toggle();
    else if (event.key === "[") player.step(-1);
    else if (event.key === "]") player.step(1);
    else if (event.key === "l" || event.key === "L") tools.querySelector("[data-tool=lasso]").click();
    else if (event.key === "c" || event.key === "C") compare();
    else if (event.key === "?") help.showModal();
    else if (event.key === "Escape" && state.nSelected) {
      clear();
      tell("selection");
      say("Selection cleared");
    } else return;
    event.preventDefault();
  });

  const first = best()[0] ?? 0;
  if (run.models.length) await addMap({ model: first, level: "window", projection: "umap" });
  document.documentElement.dataset.ready = "true";
  // For tests and for whoever is curious; nothing on the page reads it.
  globalThis.SONGATLAS.page = { state, views, actions, playlist, select: selectRows, audio: player.audio, feel: feel?.view };
}
