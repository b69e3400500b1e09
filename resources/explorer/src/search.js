/** Finding songs by title, artist, tag, language, lyrics or what they mean, in any script. */
import { load, loadAllLyrics } from "./data.js";
import { fill, h, icon, told } from "./dom.js";
import { facetsOf, nearWords } from "./meaning.js";
import { selectRows } from "./selection.js";
import { state } from "./state.js";
import { plain } from "./text.js";

const MOST = 40;

/** The search field with its results; `actions` has playSong(song, at_s) and say(text). */
export function searchField(actions) {
  let names = null;
  let lyrics = null;
  let vocabulary = null;
  const results = h("ul", { class: "results", id: "results", hidden: true, "aria-label": "Search results" });
  const input = h("input", {
    type: "search",
    id: "search",
    placeholder: "Title, tag, lyrics or meaning",
    "aria-label": "Search by title, artist, tag, language, lyrics or meaning",
    maxLength: 200,
    "aria-controls": "results",
    autocomplete: "off",
    spellcheck: false,
    dir: "auto",
  });

  async function prepare() {
    names ??= state.run.songs.id.map((_, song) =>
      plain(`${state.run.songs.title[song] ?? ""} ${state.run.songs.artist[song] ?? ""}`),
    );
    lyrics ??= loadAllLyrics(state.run).then((songs) =>
      songs.map((lines) => lines.map(([start, , text]) => ({ start, text, plain: plain(text) }))),
    );
    vocabulary ??= load("words");
    return Promise.all([lyrics, vocabulary]);
  }

  /** The first line of each song that has one of the words. */
  function linesWith(lines, words) {
    const wanted = words.map((word) => ({ word, plain: plain(word) }));
    const found = new Map();
    lines.forEach((song, row) => {
      for (const line of song) {
        const inside = new Set(line.plain.split(/[^\p{L}\p{N}\p{M}']+/u));
        const hit = wanted.find((one) => inside.has(one.plain));
        if (hit) {
          found.set(row, { line, why: `means “${hit.word}”` });
          break;
        }
      }
    });
    return found;
  }

  async function find() {
    const wanted = plain(input.value);
    if (wanted.length < 2) return show(null);
    const [lines, known] = await prepare();
    if (plain(input.value) !== wanted) return undefined; // typed on meanwhile
    const words = wanted.split(" ");
    const facets = facetsOf(wanted);
    const meaning = nearWords(wanted, known);
    const nearLines = meaning.near.length ? linesWith(lines, meaning.near) : new Map();
    const byName = [];
    const byFacet = [];
    const byLyrics = [];
    const byMeaning = [];
    for (let song = 0; song < state.run.nSongs; song++) {
      if (words.every((word) => names[song].includes(word))) byName.push({ song });
      else if (facets.length && facets.every((one) => one.weight(song)))
        byFacet.push({ song, why: facets.map((one) => one.name).join(", "), sure: facets.reduce((sum, one) => sum + one.weight(song), 0) });
      else {
        const line = lines[song].find((one) => one.plain.includes(wanted));
        if (line) byLyrics.push({ song, line });
        else if (nearLines.has(song)) byMeaning.push({ song, ...nearLines.get(song) });
      }
    }
    byFacet.sort((a, b) => b.sure - a.sure || a.song - b.song);
    return show([...byName, ...byFacet, ...byLyrics, ...byMeaning], !meaning.known && !facets.length);
  }

  function show(found, unknown = false) {
    results.hidden = found === null;
    if (found === null) return;
    const all = found.map((one) => one.song);
    fill(
      results,
      found.length > 1 &&
        h("li", {}, h("button", { type: "button", class: "link", onclick: () => {
          selectRows("song", all);
          results.hidden = true;
        } }, `Select all ${found.length} on the map`)),
      found.slice(0, MOST).map(({ song, line, why }) =>
        h("li", {}, h("button", { type: "button", class: "result", onclick: () => {
          results.hidden = true;
          actions.playSong(song, line?.start ?? null);
        } },
          told(state.run.songs.title[song] ?? "Untitled", { class: "result-title" }),
          told(state.run.songs.artist[song] ?? "", { class: "muted" }),
          why && told(why, { class: "muted note" }),
          line && told(line.text, { class: "result-line" }))),
      ),
      found.length > MOST && h("li", { class: "muted note" }, `and ${found.length - MOST} more`),
      found.length === 0 && h("li", { class: "muted note" }, "Nothing found"),
      unknown && h("li", { class: "muted note" }, "No word of this is among the run's own words, so nothing was searched by meaning."),
    );
    actions.say(`${found.length} found`);
  }

  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, 120);
  });
  input.addEventListener("focus", () => {
    prepare();
    if (input.value) find();
  });
  const box = h("div", { class: "search", role: "search" }, icon("search"), input, results);
  box.addEventListener("keydown", (event) => {
    const buttons = [...results.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && buttons.length) buttons[Math.min(at + 1, buttons.length - 1)].focus();
    else if (event.key === "ArrowUp" && at >= 0) (at ? buttons[at - 1] : input).focus();
    else if (event.key === "Enter" && document.activeElement === input) results.querySelector(".result")?.click();
    else if (event.key === "Escape") {
      results.hidden = true;
      input.focus();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.contains(event.target)) results.hidden = true;
  });
  return box;
}
