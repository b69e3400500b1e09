/** On small screens, where the panel lies below the map: what plays, always in sight. */
import { h, icon, iconButton, told } from "./dom.js";
import * as player from "./player.js";
import { on, state } from "./state.js";

export function miniPlayer() {
  const title = told("", { class: "result-title" });
  const artist = told("", { class: "muted" });
  const button = iconButton("play", "Play or pause", () => player.toggle());
  const element = h(
    "div",
    { class: "mini", role: "region", "aria-label": "What plays", hidden: true },
    button,
    h("button", { type: "button", class: "mini-song", title: "Show its lyrics and neighbours", onclick: () => document.getElementById("side").scrollIntoView() }, title, artist),
  );
  on("current", () => {
    const { song } = state.current;
    element.hidden = song < 0;
    if (song < 0) return;
    title.textContent = state.run.songs.title[song] ?? "Untitled";
    artist.textContent = state.run.songs.artist[song] ?? "";
  });
  on("playing", () => button.replaceChildren(icon(player.audio.paused ? "play" : "pause")));
  return element;
}
