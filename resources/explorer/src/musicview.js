/** The picture of the music: a square that swings, grows and takes colour. */
import { css, ramp } from "./colours.js";
import { beatPhase, calmShare, valueAt } from "./music.js";

const CALM_S = 1; // width of the average behind size and colour: see `calmShare`
const STILL_S = 3; // where somebody asked for little movement

const LEAST_RADIUS = 34;
const MOST_RADIUS = 78;
const BAR = 14;
const [GROUND, GROOVE, INK] = ["#0c0e11", "#2b313a", "#f2f2f2"]; // light or dark, like a spectrogram
const DARKEST = 0.35; // of the colour scale: three times as light as the ground

const SWING = 0.8 * LEAST_RADIUS; // less than the radius: the middle is never uncovered

/** What is shown at a moment: numbers from -1 to 1 (swing) or 0 to 1, and the beat or null. */
export function looksAt(music, time_s, still) {
  const width_s = still ? STILL_S : CALM_S;
  const phase = beatPhase(music, time_s);
  return {
    beat: phase === null ? null : Math.floor(phase),
    swing: phase === null || still ? 0 : Math.cos(Math.PI * phase),
    loudness: calmShare(music.curves.loudness, time_s, width_s),
    brightness: calmShare(music.curves.brightness, time_s, width_s),
    bass: calmShare(music.curves.bass, time_s, width_s),
    voice: calmShare(music.curves.voice, time_s, width_s),
    tempo_bpm: valueAt(music.curves.tempo, time_s),
  };
}

/** Draw what `looksAt` tells. Nothing thin moves: an outline would flash where it passes. */
export function draw(canvas, looks) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = globalThis.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d", { alpha: false });
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = GROUND;
  pen.fillRect(0, 0, width, height);
  const middle = width / 2;
  for (const [share, top] of [[looks.voice, 0], [looks.bass, height - BAR]]) {
    pen.fillStyle = GROOVE;
    pen.fillRect(0, top, width, BAR);
    pen.fillStyle = INK;
    pen.fillRect(middle - (width * share) / 2, top, width * share, BAR);
  }
  pen.beginPath();
  const radius = LEAST_RADIUS + (MOST_RADIUS - LEAST_RADIUS) * looks.loudness;
  // Its straight edges are longer than the swing: no pixel is passed twice in one to and fro.
  pen.roundRect(middle + SWING * looks.swing - radius, height / 2 - radius, 2 * radius, 2 * radius, radius - SWING);
  pen.fillStyle = css(ramp(DARKEST + (1 - DARKEST) * looks.brightness, false));
  pen.fill();
}
