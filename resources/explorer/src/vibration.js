/** Music as vibration: which pulses a song has, and giving them in time. */
import { firstFrom, most, share, valueAt } from "./music.js";

export const DRIVERS = { beat: "beat", bass: "bass", voice: "voice", onset: "onsets" };

/** Browsers know on and off alone: a stronger pulse is more pulses. Milliseconds on, off, on … */
const ON_OFF_MS = { 1: [30], 2: [30, 30, 30], 3: [30, 20, 30, 20, 30] };

const BASS_EVERY_S = 0.2;
const VOICE_EVERY_S = 0.25;
const LEAST_BASS = 1 / 3; // of what is usual in the song
const SUNG = 0.5;
const ONSET_GAP_S = 0.2;
const LEAST_ONSET = 0.5;
const SOON_MS = 250;
const LATE_S = 0.1; // a pulse that comes later than this is left out

const strengthOf = (part) => 1 + Math.min(Math.floor(3 * part), 2);

/** Pulses of a song, in order: { start_s, strength }, strength 1 to 3. */
export function pulsesOf(music, driver) {
  const { curves } = music;
  if (driver === "beat")
    return graded(Array.from(music.beats, (start_s) => ({ start_s, onset: strongest(curves.onset, start_s) })));
  if (driver === "onset") return onsets(curves.onset);
  const [curve, every_s, least] = driver === "bass" ? [curves.bass, BASS_EVERY_S, LEAST_BASS] : [curves.voice, VOICE_EVERY_S, SUNG];
  if (!curve) return [];
  const pulses = [];
  for (let i = 0; i * every_s < music.duration_s; i++) {
    const part = share(curve, valueAt(curve, i * every_s));
    if (part >= least) pulses.push({ start_s: i * every_s, strength: driver === "voice" ? 2 : strengthOf((part - least) / (1 - least)) });
  }
  return pulses;
}

/** Strong and weak among themselves, by their onsets. */
function graded(pulses) {
  const [low, high] = most(pulses.map((one) => one.onset));
  return pulses.map(({ start_s, onset }) => ({ start_s, strength: strengthOf(share({ low, high }, onset)) }));
}

/** The strongest onset beside a beat, which the curve may have in the value before or behind it. */
const strongest = (curve, time_s) =>
  Math.max(...[-1, 0, 1].map((step) => valueAt(curve, Math.max(time_s + step / curve.rate_hz, 0)) || 0));

function onsets(curve) {
  const { values, rate_hz } = curve;
  const pulses = [];
  for (let i = 1; i < values.length - 1; i++) {
    const part = share(curve, values[i]);
    const start_s = (i + 0.5) / rate_hz;
    const peak = values[i] >= values[i - 1] && values[i] > values[i + 1];
    if (peak && part >= LEAST_ONSET && start_s - (pulses.at(-1)?.start_s ?? -1) >= ONSET_GAP_S)
      pulses.push({ start_s, onset: values[i] });
  }
  return graded(pulses);
}

/** The pattern of a song as docs/musical_time.md describes it. */
export const patternOf = (song, music, driver) => ({
  format: "songatlas-vibration",
  version: 1,
  song,
  driver,
  duration_s: music.duration_s,
  pulses: pulsesOf(music, driver).map(({ start_s, strength }) => ({
    start_s: Math.round(start_s * 1000) / 1000,
    strength,
    on_off_ms: ON_OFF_MS[strength],
  })),
});

export const canVibrate = () => typeof navigator.vibrate === "function";

/** Gives pulses when the song comes to them; `now` tells seconds of the song, null while it rests. */
export class Vibrator {
  constructor(now, refused) {
    this.now = now;
    this.refused = refused;
    this.stop();
  }

  /** Give these from now on. */
  start(pulses) {
    this.stop();
    this.pulses = pulses;
    this.again();
  }

  /** Call when the song has begun, rests, or is elsewhere. */
  again() {
    clearTimeout(this.timer);
    const time_s = this.now();
    if (!this.pulses.length) return;
    navigator.vibrate(0);
    if (time_s === null) return;
    this.next = firstFrom(this.pulses.map((one) => one.start_s), time_s);
    this.wait();
  }

  wait() {
    const time_s = this.now();
    if (time_s === null) return;
    while (this.pulses[this.next]?.start_s < time_s - LATE_S) this.next++;
    if (this.next >= this.pulses.length) return;
    const left_ms = 1000 * (this.pulses[this.next].start_s - time_s);
    // The audio clock and the browser's timers drift apart: look again shortly before it is time.
    if (left_ms > SOON_MS) this.timer = setTimeout(() => this.wait(), left_ms - SOON_MS / 2);
    else this.timer = setTimeout(() => this.give(), left_ms);
  }

  give() {
    if (!navigator.vibrate(ON_OFF_MS[this.pulses[this.next].strength])) this.refused();
    this.next++;
    this.wait();
  }

  stop() {
    clearTimeout(this.timer);
    if (this.pulses?.length) navigator.vibrate(0);
    this.pulses = [];
    this.next = 0;
  }
}
