/** The part of the plane that a map shows: a centre, and a zoom (1 shows everything). */

const LEAST = 0.6;
const MOST = 400;
const MARGIN = 0.9;

export class Camera {
  constructor() {
    this.fit([]);
    this.reset();
    this.resize(1, 1);
  }

  /** Zoom 1 shall show all of these positions (2n, centred on the origin). */
  fit(positions) {
    this.extent = [0.05, 0.05];
    for (let i = 0; i < positions.length; i++)
      this.extent[i % 2] = Math.max(this.extent[i % 2], Math.abs(positions[i]));
  }

  reset() {
    this.x = 0;
    this.y = 0;
    this.zoom = 1;
  }

  /** Size of the canvas in CSS pixels. */
  resize(width, height) {
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
  }

  /** CSS pixels per unit of the plane. */
  get scale() {
    const fitting = Math.min(this.width / this.extent[0], this.height / this.extent[1]);
    return (fitting / 2) * MARGIN * this.zoom;
  }

  /** What the renderer multiplies and adds to come to clip space. */
  get view() {
    const sx = (2 * this.scale) / this.width;
    const sy = (2 * this.scale) / this.height;
    return [sx, sy, -this.x * sx, -this.y * sy];
  }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, this.height / 2 - (y - this.y) * this.scale];
  }

  toPlane(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, (this.height / 2 - py) / this.scale + this.y];
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.x = Math.min(Math.max(this.x, -1.5), 1.5);
    this.y = Math.min(Math.max(this.y, -1.5), 1.5);
  }

  /** Zoom by a factor around a place on the screen, which stays where it is. */
  zoomAt(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toPlane(px, py);
    this.zoom = Math.min(Math.max(this.zoom * factor, LEAST), MOST);
    const [nx, ny] = this.toPlane(px, py);
    this.x += x - nx;
    this.y += y - ny;
  }
}
