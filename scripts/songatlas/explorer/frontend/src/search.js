/** Finding songs by title, artist or lyrics, in any script. */
import { loadAllLyrics } from "./data.js";
import { fill, h, icon, told } from "./dom.js";
import { selectRows } from "./selection.js";
import { state } from "./state.js";
import { plain } from "./text.js";

const MOST = 40;

/** The search field with its results; `actions` has playSong(song, at_s) and say(text). */
export function searchField(actions) {
  let names = null;
  let lyrics = null;
  const results = h("ul", { class: "results", id: "results", hidden: true, "aria-label": "Search results" });
  const input = h("input", {
    type: "search",
    id: "search",
    placeholder: "Title, artist or lyrics",
    "aria-label": "Search by title, artist or lyrics",
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
    return lyrics;
  }

  async function find() {
    const wanted = plain(input.value);
    if (wanted.length < 2) return show(null);
    const lines = await prepare();
    if (plain(input.value) !== wanted) return undefined; // typed on meanwhile
    const words = wanted.split(" ");
    const byName = [];
    const byLyrics = [];
    for (let song = 0; song < state.run.nSongs; song++) {
      if (words.every((word) => names[song].includes(word))) byName.push({ song });
      else {
        const line = lines[song].find((one) => one.plain.includes(wanted));
        if (line) byLyrics.push({ song, line });
      }
    }
    return show([...byName, ...byLyrics]);
  }

  function show(found) {
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
      found.slice(0, MOST).map(({ song, line }) =>
        h("li", {}, h("button", { type: "button", class: "result", onclick: () => {
          results.hidden = true;
          actions.playSong(song, line?.start ?? null);
        } },
          told(state.run.songs.title[song] ?? "Untitled", { class: "result-title" }),
          told(state.run.songs.artist[song] ?? "", { class: "muted" }),
          line && told(line.text, { class: "result-line" }))),
      ),
      found.length > MOST && h("li", { class: "muted note" }, `and ${found.length - MOST} more`),
      found.length === 0 && h("li", { class: "muted note" }, "Nothing found"),
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
