/** The panel "Feel": a song as movement, size and colour, and as vibration. */
import { clusteringOf, clusteringsOf, clusterName } from "./attributes.js";
import { loadLyrics } from "./data.js";
import { fill, h, select } from "./dom.js";
import { download, fileName } from "./exports.js";
import { loadMusic } from "./music.js";
import { draw, looksAt } from "./musicview.js";
import * as player from "./player.js";
import { activeMap, on, state } from "./state.js";
import { clock } from "./text.js";
import { canVibrate, DRIVERS, patternOf, pulsesOf, Vibrator } from "./vibration.js";

const UNSURE = 0.05; // difference of two correlations, below which a key is told as unsure
const WORDS = { loudness: ["quiet", "medium loud", "loud"], brightness: ["dark", "medium bright", "bright"], bass: ["little bass", "some bass", "much bass"] };
const WORDS_EVERY_MS = 1000;
const NO_PULSES = {
  beat: "No steady beat: nothing pulses. Another driver may.",
  voice: "Nobody is known to sing: nothing pulses. Another driver may.",
  bass: "No bass: nothing pulses. Another driver may.",
  onset: "No onsets: nothing pulses. Another driver may.",
};

const HOW = [
  ["Side to side", "the beat: the square turns at the left and at the right, each time on a beat. It rests where no beat is steady. Which beat begins a bar is not told."],
  ["Size", "momentary loudness (EBU R 128), between the quiet and the loud parts of this song"],
  ["Colour", "brightness: dark blue for dull, yellow for bright sound. Lightness alone tells it too."],
  ["Bar above", "somebody sings"],
  ["Bar below", "bass: energy below 150 Hz"],
];

export function feelPanel() {
  const empty = h("p", { class: "empty muted" }, "Choose a song: click a point of the map, or press Enter on it.");
  const title = h("h2", { class: "song-title", dir: "auto" });
  const facts = h("p", { class: "muted" });
  const canvas = h("canvas", { class: "music-view", role: "img", "aria-label": "The music as a square that swings with the beat; what it shows is told in words below" });
  const words = h("p", { class: "music-words" });
  const line = h("p", { class: "music-line", dir: "auto", role: "status" });
  const cluster = h("p", { class: "muted" });
  const play = h("button", { type: "button", class: "button", onclick: () => player.toggle() }, "Play");
  const silent = h("button", { type: "button", class: "button", "aria-pressed": "false", onclick: () => (silence ? hush() : playSilently()) }, "Play silently");
  const vibrate = h("button", { type: "button", class: "button", "aria-pressed": "false", onclick: () => (vibrating ? stopVibrating() : startVibrating()) }, "Vibrate");
  const save = h("button", { type: "button", class: "button", onclick: exportPattern }, "Export the pattern (JSON)");
  const driverBar = h("div", { class: "panel-bar" });
  const about = h("p", { class: "note", role: "status" });
  const body = h("div", { class: "feel", hidden: true }, title, facts, canvas, words, line, cluster,
    h("div", { class: "panel-bar" }, play, silent),
    h("h3", {}, "Vibration"), driverBar, about,
    h("h3", {}, "What is shown"),
    h("dl", { class: "words" }, HOW.map(([sign, sense]) => [h("dt", {}, sign), h("dd", {}, sense)])));
  const element = h("div", {}, empty, body);

  const little = matchMedia("(prefers-reduced-motion: reduce)");
  const view = { music: null, looks: null, at_s: 0, now, drawAt };
  let lines = [];
  let driver = "beat";
  let silence = null; // { at_s, since_ms } while the clock runs without sound
  let vibrating = false;
  let visible = false;
  let frame = 0;
  let told_ms = 0;
  const vibrator = new Vibrator(now, () => {
    stopVibrating();
    about.textContent = "The browser did not vibrate: it may be switched off in its settings.";
  });

  /** Seconds of the song; null while it rests. */
  function now() {
    if (silence) return silence.at_s + (performance.now() - silence.since_ms) / 1000;
    return player.audio.paused ? null : player.time();
  }

  function playSilently() {
    const { song, window } = state.current;
    player.audio.pause();
    const at_s = player.audio.readyState ? player.time() : window < 0 ? 0 : state.run.windows.start_s[window];
    silence = { song, at_s: at_s < (view.music?.duration_s ?? 0) ? at_s : 0, since_ms: performance.now() };
    moved();
  }

  function hush() {
    silence = null;
    moved();
  }

  /** The song has begun, rests, or is elsewhere. */
  function moved() {
    if (silence && !player.audio.paused) silence = null;
    play.textContent = player.audio.paused ? "Play" : "Pause";
    silent.textContent = silence ? "Stop" : "Play silently";
    silent.setAttribute("aria-pressed", String(Boolean(silence)));
    if (vibrating) vibrator.again();
    show();
  }

  function show() {
    cancelAnimationFrame(frame);
    if (!visible || !view.music) return;
    const running = now();
    if (silence && running >= view.music.duration_s) {
      hush();
      return;
    }
    const time_s = running ?? player.time();
    drawAt(time_s);
    const lit = lines.find(([start, end]) => start !== null && start <= time_s && time_s < end)?.[2] ?? "";
    if (line.textContent !== lit) line.textContent = lit;
    if (running === null || performance.now() - told_ms > WORDS_EVERY_MS) {
      told_ms = performance.now();
      words.textContent = inWords(time_s);
    }
    if (running !== null) frame = requestAnimationFrame(show);
  }

  function drawAt(time_s) {
    view.at_s = time_s;
    view.looks = looksAt(view.music, time_s, little.matches);
    draw(canvas, view.looks);
  }

  function inWords(time_s) {
    const { looks, music } = view;
    const word = (name) => WORDS[name][Math.min(Math.floor(3 * looks[name]), 2)];
    const beat = looks.beat === null ? (music.beats.length ? "no steady beat here" : "no steady beat") : `${Math.round(looks.tempo_bpm || music.tempo_bpm)} beats a minute`;
    return [clock(time_s), beat, word("loudness"), word("brightness"), word("bass"), looks.voice > 0.5 && "sung"].filter(Boolean).join(", ");
  }

  function inFacts({ tempo_bpm, beat_strength, key, mode, key_confidence }) {
    const tempo = tempo_bpm === null ? "No steady beat" : `${Math.round(tempo_bpm)} beats a minute`;
    const tonal = key === null ? "no key" : `${key.replace("#", "♯")} ${mode}${key_confidence < UNSURE ? " (unsure)" : ""}`;
    return `${tempo} (beat strength ${beat_strength.toFixed(2)} of 1), ${tonal}`;
  }

  /** The cluster of what plays, in the clustering that the map shows, else in its first. */
  function inCluster() {
    const map = activeMap();
    if (!map?.data?.points) return "";
    const listed = clusteringsOf(map);
    const one = clusteringOf(map, state.colour) ?? listed.find((item) => item.names) ?? listed[0];
    const { song, window } = state.current;
    const at = map.data.points.indexOf(map.level === "window" ? window : song);
    const label = one && at >= 0 ? map.model_data.labels[one.index][at] : -1;
    return label < 0 ? "" : `${clusterName(one, label)}, of ${one.name} of ${state.run.models[map.model].name}`;
  }

  function controls() {
    const { music } = view;
    const { run, current } = state;
    const pulses = music ? pulsesOf(music, driver) : [];
    const allowed = music && run.musical_time.exports[current.song];
    vibrate.disabled = !canVibrate() || !pulses.length;
    save.disabled = !pulses.length || !allowed;
    vibrate.textContent = vibrating ? "Stop vibrating" : "Vibrate";
    vibrate.setAttribute("aria-pressed", String(vibrating));
    const focused = driverBar.contains(document.activeElement) ? document.activeElement : null;
    fill(driverBar, select("Driven by", Object.entries(DRIVERS), driver, (value) => {
      driver = value;
      if (vibrating) stopVibrating();
      controls();
    }, { id: "driver" }), vibrate, save);
    if (focused) (focused.id ? document.getElementById(focused.id) : focused).focus();
    about.textContent = [
      !pulses.length && NO_PULSES[driver],
      pulses.length && driver === "voice" && music.voiceFrom === "tags" && "When somebody sings is a guess from tags of whole windows.",
      !canVibrate() && "This browser cannot vibrate: a phone with Chrome on Android can.",
      music && !allowed && "The song's licence forbids derivatives: its pattern cannot be exported.",
    ].filter(Boolean).join(" ");
  }

  function startVibrating() {
    vibrating = true;
    vibrator.start(pulsesOf(view.music, driver));
    controls();
  }

  function stopVibrating() {
    vibrating = false;
    vibrator.stop();
    controls();
  }

  function exportPattern() {
    const { run, current } = state;
    const { id, title, artist } = run.songs;
    const song = { track_id: id[current.song], title: title[current.song], artist: artist[current.song] };
    const pattern = patternOf(song, view.music, driver);
    download(`${fileName(song.title ?? "song")}-${driver}.json`, `${JSON.stringify(pattern, null, 1)}\n`, "application/json");
  }

  async function choose() {
    const { run, current } = state;
    const row = current.song;
    if (silence && silence.song !== row) silence = null;
    cluster.textContent = inCluster();
    if (view.song === row) {
      moved();
      return;
    }
    view.song = row;
    view.music = null;
    if (vibrating) stopVibrating();
    let music = null;
    let found = [];
    let trouble = "Nothing was measured of this song: it has no sound that can be read.";
    try {
      [music, found] = await Promise.all([loadMusic(run, row), loadLyrics(run, row)]);
    } catch (error) {
      trouble = error.message;
    }
    if (state.current.song !== row) return;
    view.music = music;
    lines = found;
    empty.hidden = Boolean(music);
    body.hidden = !music;
    if (!music) {
      empty.textContent = trouble;
      return;
    }
    title.textContent = run.songs.title[row] ?? "Untitled";
    facts.textContent = inFacts(music);
    controls();
    moved();
  }

  on("current", choose);
  on("playing", moved);
  on("maps active look", () => {
    if (view.song >= 0) cluster.textContent = inCluster();
  });
  little.addEventListener("change", show);
  new ResizeObserver(show).observe(canvas);
  return {
    view,
    element,
    shown(nowVisible) {
      visible = nowVisible;
      if (!visible && vibrating) stopVibrating();
      show();
    },
  };
}
