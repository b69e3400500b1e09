/** Musical time of a song: its beats, and its curves at any moment. */
import { load, unpack } from "./data.js";

const UNKNOWN = 255;
const MOST_UNKNOWN_GAP = 1.6; // of the beats' usual distance: beyond it there is no beat between two

/** A song that hardly changes is not shown as if it did: the least that lies between low and high. */
const LEAST_SPAN = { loudness: 12, brightness: 1000, bass: 12 };

const songs = new Map();

/** Musical time of a song; null where nothing was measured of it. */
export async function loadMusic(run, song) {
  if (song < 0 || !run.musical_time?.measured[song]) return null;
  if (!songs.has(song)) songs.set(song, unpacked(await load(`time/${Math.floor(song / 1000)}/${song}`)));
  return songs.get(song);
}

function unpacked(data) {
  const beats = unpack(data.beats_s);
  const gaps = Float32Array.from(beats.subarray(1), (beat, i) => beat - beats[i]).sort();
  const curves = {};
  for (const [name, { codes, offset, scale }] of Object.entries(data.curves))
    curves[name] = curve(unpack(codes), offset, scale, data.rate_hz, LEAST_SPAN[name]);
  if (data.voice) curves.voice = { ...curve(unpack(data.voice.codes), 0, 1 / (UNKNOWN - 1), data.rate_hz), low: 0, high: 1 };
  return {
    ...data,
    beats,
    gap_s: gaps.length ? gaps[Math.floor(gaps.length / 2)] : 0,
    curves,
    voiceFrom: data.voice?.source ?? null,
  };
}

/** Values NaN where unknown; `low` and `high` are what most of the song lies between. */
function curve(codes, offset, scale, rate_hz, span = 0) {
  const values = Float32Array.from(codes, (code) => (code === UNKNOWN ? NaN : offset + scale * code));
  const [low, high] = most(values);
  return { values, rate_hz, low: Math.min(low, high - span), high };
}

/** What nine of ten of the known values lie between; NaN where none is known. */
export function most(values) {
  const known = Float32Array.from(values).filter(Number.isFinite).sort();
  const quantile = (part) => (known.length ? known[Math.min(Math.floor(part * known.length), known.length - 1)] : NaN);
  return [quantile(0.05), quantile(0.95)];
}

/** A curve's value at a time; NaN where it is not known. */
export const valueAt = (one, time_s) => one?.values[Math.floor(time_s * one.rate_hz)] ?? NaN;

/** Where between a curve's low and high a value lies, 0 to 1; 0 where it is not known. */
export function share(one, value) {
  if (!Number.isFinite(value)) return 0;
  const span = one.high - one.low;
  return span > 0 ? Math.min(Math.max((value - one.low) / span, 0), 1) : 0.5;
}

/**
 * The share around a time, averaged under a raised cosine of `width_s`. What changes more than
 * three times a second all but vanishes in a width of a second: nothing that is drawn by it flashes.
 */
export function calmShare(one, time_s, width_s) {
  if (!one) return 0;
  const middle = time_s * one.rate_hz - 0.5;
  const half = (width_s * one.rate_hz) / 2;
  let total = 0;
  let weights = 0;
  for (let i = Math.ceil(middle - half); i <= middle + half; i++) {
    const weight = 1 + Math.cos((Math.PI * (i - middle)) / half);
    total += weight * share(one, one.values[Math.min(Math.max(i, 0), one.values.length - 1)]);
    weights += weight;
  }
  return weights ? total / weights : 0;
}

/** Beats passed at a time, with the share of the one that runs; null where no beat is steady. */
export function beatPhase(music, time_s) {
  const { beats } = music;
  const next = firstFrom(beats, time_s);
  if (next === 0 || next === beats.length) return null;
  const gap = beats[next] - beats[next - 1];
  if (gap > MOST_UNKNOWN_GAP * music.gap_s) return null;
  return next - 1 + (time_s - beats[next - 1]) / gap;
}

/** Index of the first of rising values that is beyond `limit`. */
export function firstFrom(values, limit) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
