/**
 * How many points to draw while the map moves, so that it moves smoothly: as many as the machine
 * draws in a 30th of a second. At rest all are drawn.
 */
export class Pacing {
  constructor() {
    this.budget = 50_000;
    this.last = 0;
  }

  /** Call at every frame in motion; the number of points for this one. */
  frame(now, n) {
    const took = now - this.last;
    this.last = now;
    if (took < 300) {
      if (took > 30) this.budget = Math.max(this.budget * (took > 60 ? 0.6 : 0.8), 8000);
      else if (took < 22) this.budget = Math.min(this.budget * 1.15, 2_000_000);
    }
    return Math.min(n, Math.round(this.budget));
  }
}
