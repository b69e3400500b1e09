/** The panel "Selection": the selected songs, to play and to export. */
import { fill, h, icon, told } from "./dom.js";
import { loadVectors } from "./data.js";
import { exportSongs } from "./exports.js";
import { clear, selectedSongs } from "./selection.js";
import { activeMap, on, state, tell } from "./state.js";
import { many } from "./text.js";
import { wayBetween } from "./way.js";

const MOST = 300;
const WAY = 30;

export function chosenPanel(actions) {
  const element = h("div", { class: "chosen" });
  let visible = false;

  /** Save the way between two songs in the representation that the map shows. */
  async function saveWay(first, last) {
    const map = activeMap();
    const vectors = await loadVectors(map.model);
    const ends = [first, last].map((song) => vectors.song.indexOf(song));
    if (ends.includes(-1)) {
      actions.say("This representation has no vector for one of the two songs");
      return;
    }
    const songs = wayBetween(vectors, ...ends, WAY).map((row) => vectors.song[row]);
    const [a, b] = [first, last].map((song) => state.run.songs.title[song] ?? "Untitled");
    exportSongs("m3u", songs, `${a} to ${b}`, map);
  }

  function show() {
    if (!visible) return;
    const songs = selectedSongs();
    if (!songs.length) {
      fill(element, h("div", { class: "empty" },
        h("p", {}, "Nothing is selected."),
        h("p", { class: "muted" }, "Draw around points with the lasso (or hold Shift and drag), press S on a point, or select a cluster or search results.")));
      return;
    }
    const windows = state.selectedWindows.reduce((sum, one) => sum + one, 0);
    const title = `${state.run.run} selection`;
    fill(
      element,
      h("div", { class: "panel-bar" },
        h("strong", {}, many(songs.length, "song")),
        h("span", { class: "muted" }, many(windows, "window")),
        h("span", { class: "spring" }),
        h("button", { type: "button", class: "button", onclick: () => exportSongs("m3u", songs, title, activeMap()) }, "M3U"),
        h("button", { type: "button", class: "button", onclick: () => exportSongs("csv", songs, title, activeMap()) }, "CSV"),
        songs.length === 2 && h("button", { type: "button", class: "button", title: `At most ${WAY} songs from one to the other, in even steps`, onclick: () => saveWay(...songs) }, "Way between (M3U)"),
        h("button", { type: "button", class: "button", onclick: () => {
          clear();
          tell("selection");
        } }, "Clear")),
      h("ol", { class: "list" }, songs.slice(0, MOST).map((song) =>
        h("li", {}, h("button", { type: "button", class: "neighbour", onclick: () => actions.playSong(song) },
          icon("play"),
          told(state.run.songs.title[song] ?? "Untitled", { class: "result-title" }),
          told(state.run.songs.artist[song] ?? "", { class: "muted" }))))),
      songs.length > MOST && h("p", { class: "muted note" }, `and ${(songs.length - MOST).toLocaleString("en")} more, all of them in the files`),
    );
  }

  on("selection", show);
  return {
    element,
    shown(now) {
      visible = now;
      show();
    },
  };
}
