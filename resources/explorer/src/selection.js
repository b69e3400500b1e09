/** Selected songs and windows. A song is selected with its windows, a window with its song. */
import { state, tell } from "./state.js";

export function clear() {
  state.selectedWindows = new Uint8Array(state.run.nWindows);
  state.selectedSongs = new Uint8Array(state.run.nSongs);
  state.nSelected = 0;
}

/** Select these rows of windows or songs, in place of what was or (`add`) beside it. */
export function selectRows(level, rows, add = false) {
  if (!add) clear();
  for (const row of rows) {
    if (level === "window") {
      state.selectedWindows[row] = 1;
      state.selectedSongs[state.run.windows.song[row]] = 1;
    } else {
      state.selectedSongs[row] = 1;
      for (const window of state.run.windowsOf[row]) state.selectedWindows[window] = 1;
    }
  }
  state.nSelected = state.selectedSongs.reduce((sum, one) => sum + one, 0);
  tell("selection");
}

/** Select or deselect one song or window. */
export function toggle(level, row) {
  const on = level === "window" ? state.selectedWindows[row] : state.selectedSongs[row];
  if (!on) return selectRows(level, [row], true);
  const song = level === "window" ? state.run.windows.song[row] : row;
  const rows = level === "window" ? [row] : state.run.windowsOf[row];
  for (const window of rows) state.selectedWindows[window] = 0;
  const left = state.run.windowsOf[song].some((window) => state.selectedWindows[window]);
  state.selectedSongs[song] = left ? 1 : 0;
  state.nSelected = state.selectedSongs.reduce((sum, one) => sum + one, 0);
  return tell("selection");
}

/** Rows of the selected songs. */
export function selectedSongs() {
  const rows = [];
  state.selectedSongs.forEach((one, row) => one && rows.push(row));
  return rows;
}
