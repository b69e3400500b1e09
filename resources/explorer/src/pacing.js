const LEAST = 8000;

/**
 * Whether a moving map is drawn anew in every frame. A machine that takes longer than a 30th of a
 * second to draw all points gets its last picture shifted and scaled instead, points and all.
 */
export class Pacing {
  constructor() {
    this.budget = 2_000_000; // points that are thought to be drawn in time
    this.last = -Infinity;
    this.drew = false;
  }

  /** Call at every frame in motion: whether to draw the map's `n` points in this one. */
  frame(now, n) {
    const took = now - this.last;
    this.last = now;
    if (took > 300) this.budget *= 1.05; // a new movement, and perhaps a less busy machine
    else if (this.drew && took > 30) this.budget = Math.max(Math.min(this.budget, n) * (took > 60 ? 0.6 : 0.8), LEAST);
    this.drew = n <= this.budget;
    return this.drew;
  }
}
