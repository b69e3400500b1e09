/** Plays one window at a time: its preview beside the page, else the user's own file. */
import { state, tell } from "./state.js";

export const audio = new Audio();
audio.preload = "auto";

let offset = 0; // seconds of the song at which the sound file begins
let source = "";
let wanted = 0; // seconds of the song to begin at, once the file is known

/** Where a window's sound is: { url, offset } or null. */
export function soundOf(window) {
  const { run } = state;
  if (run.audio.preview[window])
    return { url: `audio/${Math.floor(window / 1000)}/${window}.mp3`, offset: run.windows.start_s[window] };
  const link = run.audio.link[run.windows.song[window]];
  return link ? { url: link, offset: 0 } : null;
}

/** The window that stands for a song: its middle one. */
export function windowOf(song) {
  const rows = state.run.windowsOf[song];
  return rows.length ? rows[Math.floor((rows.length - 1) / 2)] : -1;
}

/** Show a song's window and play it from its start, or from `at_s` seconds of the song. */
export function play(song, window, at_s = null) {
  state.current = { song, window };
  tell("current");
  const sound = window < 0 ? null : soundOf(window);
  if (!sound) {
    audio.pause();
    audio.removeAttribute("src");
    source = "";
    tell("playing", { error: "No sound: this song has no audio file." });
    return;
  }
  offset = sound.offset;
  wanted = at_s ?? state.run.windows.start_s[window];
  if (source !== sound.url) {
    source = sound.url;
    audio.src = sound.url;
  }
  if (audio.readyState >= 1) audio.currentTime = Math.max(wanted - offset, 0);
  audio.play().catch((error) => {
    if (error.name !== "AbortError") tell("playing", { error: explain(error) });
  });
}

const explain = (error) =>
  error.name === "NotAllowedError"
    ? "The browser wants a click before it plays."
    : "The sound file cannot be read from here: it has moved, or this browser does not know its format.";

/** Seconds of the song. */
export const time = () => audio.currentTime + offset;

export function toggle() {
  const { song, window } = state.current;
  if (song < 0) return;
  if (!source) play(song, window);
  else if (audio.paused) {
    if (time() >= state.run.windows.end_s[window] - 0.05) play(song, window);
    else audio.play().catch((error) => tell("playing", { error: explain(error) }));
  } else audio.pause();
}

/** The window before or after the one that plays, within its song. */
export function step(by) {
  const { song, window } = state.current;
  if (song < 0) return;
  const rows = state.run.windowsOf[song];
  const next = rows[rows.indexOf(window) + by];
  if (next !== undefined) play(song, next);
}

export function seek(seconds) {
  if (source && audio.readyState >= 1) audio.currentTime = Math.max(seconds - offset, 0);
}

audio.addEventListener("loadedmetadata", () => {
  if (wanted - offset > 0.01) audio.currentTime = wanted - offset;
});
audio.addEventListener("timeupdate", () => {
  const { window } = state.current;
  if (window >= 0 && time() >= state.run.windows.end_s[window]) audio.pause();
  tell("time");
});
for (const event of ["play", "pause", "ended", "seeked"])
  audio.addEventListener(event, () => tell("playing", {}));
audio.addEventListener("error", () => {
  if (source) tell("playing", { error: explain({ name: "error" }) });
});
