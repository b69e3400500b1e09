/** The panel "Listen": what plays, its spectrogram and lyrics, and the song's neighbours. */
import { loadLyrics, loadModel } from "./data.js";
import { fill, h, icon, iconButton, select, told } from "./dom.js";
import { exportSongs } from "./exports.js";
import * as player from "./player.js";
import { activeMap, on, state } from "./state.js";
import { tagsOf } from "./tags.js";
import { clock } from "./text.js";

const CHIPS = ["language", "genre"];
const TAGS = 3;
const SCOPES = { any: "any language", same: "same language", other: "other languages" };
const BLOCK_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"];

export function listenPanel(actions) {
  const empty = h(
    "div",
    { class: "empty" },
    h("p", {}, "Click a point to hear it."),
    h("p", { class: "muted" }, "Points close together sound alike, or read alike, to the model that drew them. Drag to move, scroll to zoom, draw a lasso to select."),
  );
  const title = h("h2", { dir: "auto", class: "song-title" });
  const artist = h("p", { dir: "auto", class: "song-artist" });
  const chips = h("div", { class: "chips" });
  const picture = h("img", { class: "spectrogram", alt: "", draggable: false });
  const head = h("div", { class: "playhead", hidden: true });
  const slider = h("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: 0, class: "seek", "aria-label": "Position in the window",
  });
  const frame = h("div", { class: "spectrogram-frame" }, picture, head, slider);
  const when = h("span", { class: "muted when" });
  const playButton = iconButton("play", "Play (space)", () => player.toggle(), { class: "icon-button round" });
  const controls = h(
    "div",
    { class: "controls" },
    iconButton("previous", "Previous window of this song", () => player.step(-1)),
    playButton,
    iconButton("next", "Next window of this song", () => player.step(1)),
    when,
  );
  const trouble = h("p", { class: "trouble", role: "status", hidden: true });
  const lyrics = h("div", { class: "lyrics", tabIndex: 0, role: "group", "aria-label": "Lyrics" });
  const near = h("div", { class: "near" });
  const song = h("div", { class: "song", hidden: true }, title, artist, chips, frame, controls, trouble,
    h("h3", {}, "Lyrics"), lyrics, near);
  const element = h("div", { class: "listen" }, empty, song);
  let lines = [];
  let shownSong = -1;
  let model = null;
  let scope = "any";

  async function showLyrics(row) {
    lines = [];
    const found = await loadLyrics(state.run, row);
    if (state.current.song !== row) return;
    lines = found.map(([start, end, text]) => ({
      start,
      end,
      element: h(start === null ? "p" : "button", {
        class: "line", dir: "auto",
        ...(start === null ? {} : { type: "button", title: `Play from ${clock(start)}`, onclick: () => playFrom(start) }),
      }, text),
    }));
    fill(lyrics, lines.length ? lines.map((line) => line.element) : h("p", { class: "muted" }, "No lyrics"));
    if (lines.length && lines[0].start === null)
      lyrics.prepend(h("p", { class: "muted note" }, "No time stamps: the line that is sung is not known."));
    light();
  }

  function playFrom(seconds) {
    const { run, current } = state;
    const rows = run.windowsOf[current.song];
    const inside = (row) => run.windows.start_s[row] <= seconds && seconds < run.windows.end_s[row];
    const row = inside(current.window) ? current.window : rows.findLast(inside) ?? rows.at(-1);
    player.play(current.song, row, seconds);
  }

  /** Light the line that is sung; lines outside the window are paler. */
  function light() {
    const { window } = state.current;
    if (window < 0) return;
    const { start_s, end_s } = state.run.windows;
    const now = player.time();
    const sounding = !player.audio.paused || now > start_s[window] + 0.05;
    let lit = null;
    for (const line of lines) {
      if (line.start === null) continue;
      const here = line.end > start_s[window] && line.start < end_s[window];
      const sung = sounding && here && now >= line.start && now < line.end;
      line.element.classList.toggle("outside", !here);
      line.element.classList.toggle("lit", sung);
      if (sung) {
        line.element.setAttribute("aria-current", "true");
        lit = line.element;
      } else line.element.removeAttribute("aria-current");
    }
    if (lit && lit !== light.last) {
      const top = lit.offsetTop - lyrics.clientHeight / 2 + lit.offsetHeight / 2;
      lyrics.scrollTo({ top, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
    light.last = lit;
  }

  function tick() {
    const { window } = state.current;
    if (window < 0) return;
    const { start_s, end_s } = state.run.windows;
    const length = end_s[window] - start_s[window];
    const share = Math.min(Math.max((player.time() - start_s[window]) / length, 0), 1);
    head.hidden = false;
    head.style.left = `${100 * share}%`;
    if (document.activeElement !== slider || !player.audio.paused) slider.value = String(share);
    slider.setAttribute("aria-valuetext", clock(player.time()));
    when.textContent = `${clock(player.time())} in ${clock(start_s[window])}–${clock(end_s[window])}`;
    light();
    if (!player.audio.paused) requestAnimationFrame(tick);
  }

  slider.addEventListener("input", () => {
    const { window } = state.current;
    if (window < 0) return;
    const { start_s, end_s } = state.run.windows;
    player.seek(start_s[window] + slider.value * (end_s[window] - start_s[window]));
  });

  function showSong() {
    const { run, current } = state;
    const { song: row, window } = current;
    empty.hidden = row >= 0;
    song.hidden = row < 0;
    if (row < 0) return;
    title.textContent = run.songs.title[row] ?? "Untitled";
    artist.textContent = run.songs.artist[row] ?? "Unknown artist";
    fill(
      chips,
      CHIPS.map((key) => run.attributes.find((one) => one.key === key))
        .filter((one) => one?.names && one.codes[row] !== 65535)
        .map((one) => told(one.names[one.codes[row]], { class: "chip" })),
      tagsOf(row, TAGS).map(([name, probability]) =>
        h("span", { class: "chip", title: `Tag, probability ${probability.toFixed(2)}` }, name)),
      run.songs.license[row] && h("span", { class: "chip pale", title: "Licence" }, run.songs.license[row]),
    );
    const drawn = window >= 0 && run.has_spectrogram[window];
    picture.hidden = !drawn;
    frame.classList.toggle("bare", !drawn);
    frame.hidden = window < 0;
    controls.hidden = window < 0;
    if (drawn) {
      picture.src = `spectrograms/${Math.floor(window / 1000)}/${window}.png`;
      picture.alt = `Spectrogram from ${clock(run.windows.start_s[window])} to ${clock(run.windows.end_s[window])}`;
    }
    trouble.hidden = true;
    if (row !== shownSong) {
      shownSong = row;
      fill(lyrics);
      showLyrics(row);
      showNear();
    }
    tick();
  }

  async function showNear() {
    const { run, current } = state;
    const row = current.song;
    if (row < 0) return;
    const number = model ?? activeMap().model;
    const data = await loadModel(number);
    if (state.current.song !== row) return;
    const options = run.models.map((one, i) => [String(i), one.name]);
    const choice = select("under", options, String(number), (value) => {
      model = Number(value);
      showNear();
    });
    const scopes = Object.keys(data.neighbours ?? {});
    const found = data.neighbours?.[scopes.includes(scope) ? scope : "any"];
    const limit = scopes.length > 1 && select("in", scopes.map((one) => [one, SCOPES[one]]), scope, (value) => {
      scope = value;
      showNear();
    });
    const at = found ? found.song.indexOf(row) : -1;
    if (at < 0 || !found.most) {
      fill(near, h("h3", {}, "Neighbours"), choice, h("p", { class: "muted" }, "This representation has no vector for this song."));
      return;
    }
    const blocks = found.blocks;
    const count = Array.from(found.near.subarray(at * found.most, (at + 1) * found.most)).filter((one) => one >= 0).length;
    const items = Array.from({ length: count }, (_, i) => {
      const index = at * found.most + i;
      const other = found.near[index];
      const distance = found.distance[index];
      const shares = blocks.map((_, b) => found.share[index * blocks.length + b] / 255);
      const text = shares.length
        ? `Of the squared distance ${blocks.map((name, b) => `${Math.round(100 * shares[b])}% is ${name}`).join(", ")}`
        : "";
      return h(
        "li",
        {},
        h("button", { type: "button", class: "neighbour", onclick: () => actions.playSong(other) },
          told(run.songs.title[other] ?? "Untitled", { class: "result-title" }),
          told(run.songs.artist[other] ?? "", { class: "muted" }),
          h("span", { class: "shared" }, inCommon(row, other))),
        h("span", { class: "distance", title: text || "Distance in units of the typical distance between two songs" },
          h("span", { class: "distance-bar", "aria-hidden": "true", style: { width: `${Math.min(distance, 1.5) * 40}px` } },
            shares.map((share, b) => h("i", { style: { width: `${100 * share}%`, background: BLOCK_COLOURS[b % 4] } }))),
          h("span", {}, distance.toFixed(2)),
          text && h("span", { class: "visually-hidden" }, text)),
      );
    });
    fill(
      near,
      h("h3", {}, "Neighbours"),
      h("div", { class: "panel-bar" }, choice, limit,
        count > 0 && h("button", { type: "button", class: "button", "aria-label": "M3U: playlist of this song and its neighbours", onclick: () => {
          const rows = Array.from(found.near.subarray(at * found.most, at * found.most + count));
          exportSongs("m3u", [row, ...rows], `Like ${run.songs.title[row] ?? "Untitled"}`, activeMap());
        } }, "M3U")),
      !count && h("p", { class: "muted" }, "No song of these languages, or this song's is not known."),
      h("p", { class: "muted note" },
        blocks.length
          ? "Distance, 1 being typical of two songs, and how much of its square each modality adds: "
          : "Distance, 1 being typical of two songs. This model keeps no separate parts for audio and lyrics.",
        blocks.map((name, b) => h("span", { class: "key" }, h("i", { style: { background: BLOCK_COLOURS[b % 4] } }), name))),
      h("ol", { class: "list" }, items),
    );
  }

  function inCommon(a, b) {
    const found = [];
    for (const key of ["language", "genre", "artist"]) {
      const one = state.run.attributes.find((attribute) => attribute.key === key);
      if (one?.names && one.codes[a] !== 65535 && one.codes[a] === one.codes[b]) found.push(`same ${key}`);
    }
    return found.join(", ");
  }

  on("current", showSong);
  on("time", tick);
  on("maps active", () => {
    model = null;
    showNear();
  });
  on("playing", (detail) => {
    const playing = !player.audio.paused;
    playButton.replaceChildren(icon(playing ? "pause" : "play"));
    playButton.setAttribute("aria-label", playing ? "Pause (space)" : "Play (space)");
    playButton.title = playing ? "Pause (space)" : "Play (space)";
    trouble.hidden = !detail?.error;
    trouble.textContent = detail?.error ?? "";
    tick();
  });
  return element;
}
