/** The picture of the music: a disc that swings, grows and takes colour. */
import { css, ramp } from "./colours.js";
import { beatPhase, calmShare, valueAt } from "./music.js";

const CALM_S = 1; // width of the average behind size and colour: see `calmShare`
const STILL_S = 3; // where somebody asked for little movement

const LEAST_RADIUS = 34;
const MOST_RADIUS = 78;
const SWING = 0.8 * LEAST_RADIUS; // less than the radius: the disc's middle is never uncovered

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

/** Draw what `looksAt` tells, on a canvas of `width` × `height` CSS pixels. */
export function draw(canvas, looks, dark) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = globalThis.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(canvas);
  const [paper, ink, line] = ["--paper", "--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, width, height);
  const middle = width / 2;
  const across = (height - 24) / 2;
  const radius = LEAST_RADIUS + (MOST_RADIUS - LEAST_RADIUS) * looks.loudness;

  // Where the disc's middle turns, on every beat: the posts of the swing.
  pen.fillStyle = line;
  for (const side of [-1, 1]) pen.fillRect(middle + side * SWING - 1, 0, 2, 8);

  const x = middle + SWING * looks.swing;
  pen.beginPath();
  pen.arc(x, across, radius, 0, 2 * Math.PI);
  pen.fillStyle = css(ramp(looks.brightness, dark));
  pen.fill();
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink; // yellow would sink into white paper
  pen.stroke();
  if (looks.voice > 0.02) {
    pen.beginPath();
    pen.arc(x, across, radius + 8, 0, 2 * Math.PI);
    pen.lineWidth = 6 * looks.voice;
    pen.stroke();
  }

  pen.fillStyle = line;
  pen.fillRect(0, height - 12, width, 12);
  pen.fillStyle = ink;
  const bar = width * looks.bass;
  pen.fillRect(middle - bar / 2, height - 12, bar, 12);
}
