/** The panel "Clusters": a card for each cluster of one clustering. */
import { clusteringOf, clusteringsOf } from "./attributes.js";
import { css, look } from "./colours.js";
import { load } from "./data.js";
import { fill, h, icon, select, told } from "./dom.js";
import { exportSongs } from "./exports.js";
import { glyph } from "./legend.js";
import { selectRows } from "./selection.js";
import { activeMap, on, state, tell } from "./state.js";
import { many } from "./text.js";

export function clustersPanel(actions) {
  const bar = h("div", { class: "panel-bar" });
  const list = h("div", { class: "cards" });
  let key = null;
  let chosen = false; // by somebody; otherwise the clustering that was named, where there is one
  let visible = false;

  async function show() {
    if (!visible) return;
    const map = activeMap();
    const listed = clusteringsOf(map);
    if (state.colour.startsWith("cluster:")) {
      key = state.colour;
      chosen = true;
    }
    if (!chosen || !clusteringOf(map, key)) key = (listed.find((one) => one.names) ?? listed.find((one) => one.algorithm === "kmeans" && one.k === 4) ?? listed[0])?.key;
    const one = clusteringOf(map, key);
    if (!one) {
      fill(bar);
      fill(list, h("p", { class: "muted" }, "This representation was not clustered at this level."));
      return;
    }
    const groups = (wanted) => listed.filter((item) => (item.level === "song_vote") === wanted).map((item) => [item.key, item.name]);
    const options = [{ group: "Clusters", options: groups(false) }];
    if (groups(true).length) options.push({ group: "Clusters of windows, by majority", options: groups(true) });
    const coloured = state.colour === key;
    fill(
      bar,
      select("Clusters by", options, key, (value) => {
        key = value;
        chosen = true;
        if (state.colour.startsWith("cluster:")) actions.colourBy(value);
        else show();
      }),
      h("button", { type: "button", class: "button", disabled: coloured, onclick: () => actions.colourBy(key) },
        coloured ? "The map has these colours" : "Colour the map by these"),
    );
    const name = state.run.models[map.model].name;
    const all = await load(`cards-${map.model}`);
    if (map !== activeMap() || clusteringOf(map, key)?.index !== one.index) return;
    const labels = map.model_data.labels[one.index];
    const of = map.data.of;
    fill(
      list,
      h("p", { class: "muted note" }, `${name}, ${map.level === "window" ? "windows" : "songs"}. Purity: share of the commonest class, with a 95% interval over songs. Tags and sound: difference from all others in standard deviations (Hedges' g).`,
        one.names
          ? " A name stands where a cluster differs by more than the same clustering finds without any structure; else it is unsure."
          : " Names are given to the consensus clustering alone.",
        map.data.points.length < of && ` A sample of ${map.data.points.length.toLocaleString("en")} of ${of.toLocaleString("en")} points.`),
      all[one.index].map((card) => drawCard(card, one, map, labels)),
    );
  }

  function drawCard(card, one, map, labels) {
    const { run } = state;
    const window = map.level === "window";
    const rows = () => Array.from(map.data.points).filter((_, i) => labels[i] === card.cluster);
    const songs = () => [...new Set(window ? rows().map((row) => run.windows.song[row]) : rows())].sort((a, b) => a - b);
    const { colour, shape } = look(card.cluster, state.dark);
    const heading = `Cluster ${card.cluster + 1}`;
    const words = Object.entries(card.words);
    const name = card.name ?? heading;
    const save = (kind) => exportSongs(kind, songs(), `${run.run} ${heading} ${card.name ?? ""}`, map);
    return h(
      "article",
      { class: "card", "aria-label": card.name ? `${heading}: ${card.name}` : heading },
      h("header", {},
        glyph(shape, css(colour)),
        h("h3", {}, told(name), h("small", {}, `${card.name ? `${heading} · ` : ""}${window ? `${many(card.size, "window")} of ${many(card.songs, "song")}` : many(card.size, "song")}`))),
      run.card_classes.map((classes) => bars(classes, card.classes[classes.key], many(card.size, window ? "window" : "song"), card.size)),
      chips("Tags", card.tags),
      chips("Sound", card.sound),
      !card.tags.length && !card.sound.length && h("p", { class: "muted note" }, "Sounds like the others (nothing differs by half a standard deviation)."),
      words.length > 0 && h("dl", { class: "words" }, words.map(([language, found]) => [
        h("dt", {}, language), h("dd", { dir: "auto" }, found.join(", "))])),
      h("div", { class: "centre" },
        h("span", { class: "muted" }, "At its centre"),
        card.centre.map((row) => {
          const song = window ? run.windows.song[row] : row;
          return h("button", { type: "button", class: "play-song", onclick: () => (window ? actions.playWindow(row) : actions.playSong(row)) },
            icon("play"), told(run.songs.title[song] ?? "Untitled"));
        })),
      h("div", { class: "card-actions" },
        h("button", { type: "button", class: "button", onclick: () => {
          selectRows(map.level, rows());
          actions.say(`${heading} selected`);
        } }, "Select"),
        h("button", { type: "button", class: "button", "aria-label": `M3U: playlist of ${heading}`, onclick: () => save("m3u") }, "M3U"),
        h("button", { type: "button", class: "button", "aria-label": `CSV: table of ${heading}`, onclick: () => save("csv") }, "CSV")),
    );
  }

  function bars(classes, found, all, size) {
    const total = found.counts.reduce((sum, n) => sum + n, 0);
    if (!total) return null;
    const order = found.counts.map((n, code) => [n, code]).filter(([n]) => n).sort((a, b) => b[0] - a[0]);
    const attribute = state.run.attributes.find((one) => one.key === classes.key);
    const colourOf = (code) => css(look(attribute?.names?.indexOf(classes.names[code]) ?? code, state.dark).colour);
    const ci = found.ci ? ` [${found.ci.map((end) => end.toFixed(2)).join("–")}]` : "";
    const text = order.slice(0, 3).map(([n, code]) => `${classes.names[code]} ${Math.round((100 * n) / total)}%`).join(", ");
    return h("div", { class: "bars" },
      h("div", { class: "bars-head" }, h("span", {}, attribute?.label ?? classes.key),
        h("span", { class: "muted" }, `purity ${found.purity.toFixed(2)}${ci}`)),
      h("div", { class: "bar", "aria-hidden": "true" }, order.map(([n, code]) =>
        h("i", { style: { width: `${(100 * n) / total}%`, background: colourOf(code) } }))),
      h("div", { class: "bars-foot", dir: "auto" }, text, order.length > 3 && ` and ${order.length - 3} more`,
        total < size && `; known of ${total} of ${all}`));
  }

  function chips(title, found) {
    if (!found.length) return null;
    const size = (g) => (g === null ? "" : ` ${g > 0 ? "+" : "−"}${Math.abs(g).toFixed(1)}`);
    return h("ul", { class: "sounds", "aria-label": title }, found.map((one) =>
      h("li", { class: "chip", title: one.label }, one.word, h("span", { class: "muted" }, size(one.g)))));
  }

  on("maps active look", show);
  return {
    element: h("div", { class: "clusters" }, h("h2", { class: "visually-hidden" }, "Clusters"), bar, list),
    shown(now) {
      visible = now;
      show();
    },
  };
}
