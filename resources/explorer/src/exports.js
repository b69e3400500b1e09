/** Playlists and tables made in the browser. */
import { state } from "./state.js";
import { loadModel } from "./data.js";
import { clusteringsOf } from "./attributes.js";

const oneLine = (text) => text.replace(/[\r\n\u2028\u2029]+/g, " ").trim();

/** An extended M3U playlist (UTF-8) of songs: links to the user's files, else to a preview. */
export function playlist(songs, title) {
  const { run } = state;
  const lines = ["#EXTM3U", `#PLAYLIST:${oneLine(title)}`];
  for (const song of songs) {
    const preview = run.windowsOf[song].find((window) => run.audio.preview[window]);
    const link =
      run.audio.link[song] ??
      (preview === undefined ? null : `audio/${Math.floor(preview / 1000)}/${preview}.mp3`);
    if (!link) continue;
    const seconds = run.songs.duration_s[song];
    const name = [run.songs.artist[song], run.songs.title[song] ?? "Untitled"].filter(Boolean).join(" - ");
    lines.push(`#EXTINF:${Number.isFinite(seconds) ? Math.round(seconds) : -1},${oneLine(name)}`);
    lines.push(new URL(link, document.baseURI).href);
  }
  return `${lines.join("\n")}\n`;
}

/** A cell of a CSV file; what a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A CSV table (UTF-8) of songs with their labels, and their clusters on a map. */
export async function table(songs, map) {
  const { run } = state;
  const labels = run.attributes.filter((one) => one.codes || one.song);
  const data = await loadModel(map.model);
  const level = data.levels.song;
  const clusterings = level ? clusteringsOf({ ...map, level: "song" }) : [];
  const at = new Map(level ? Array.from(level.points, (row, i) => [row, i]) : []);
  const heads = ["track_id", "title", "artist", "duration_s", ...labels.map((one) => one.key)];
  heads.push(...clusterings.map((one) => one.key.replace("cluster:", `${run.models[map.model].name}:`)));
  const rows = songs.map((song) => [
    run.songs.id[song],
    run.songs.title[song],
    run.songs.artist[song],
    run.songs.duration_s[song],
    ...labels.map((one) =>
      one.names ? (one.codes[song] === 65535 ? null : one.names[one.codes[song]]) : one.song[song],
    ),
    ...clusterings.map((one) => {
      const label = at.has(song) ? data.labels[one.index][at.get(song)] : -2;
      return label < -1 ? null : label < 0 ? "noise" : label + 1;
    }),
  ]);
  return `${[heads, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** Hand a text to the user as a file. */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const fileName = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "songs";

/** The two buttons of everything that can be exported. */
export async function exportSongs(kind, songs, title, map) {
  if (kind === "m3u") download(`${fileName(title)}.m3u8`, playlist(songs, title), "audio/x-mpegurl");
  else download(`${fileName(title)}.csv`, await table(songs, map), "text/csv");
}
