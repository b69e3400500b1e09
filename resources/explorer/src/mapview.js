/** One map: points, pointer, keyboard, lasso, and rings around what plays and is pointed at. */
import { valuesOf } from "./attributes.js";
import { Camera } from "./camera.js";
import { css, look, ramp, rgb, MISSING, PAPER, SHAPES } from "./colours.js";
import { h } from "./dom.js";
import { enclosed } from "./lasso.js";
import { shuffled } from "./order.js";
import { Pacing } from "./pacing.js";
import { Points } from "./points.js";
import { selectRows, toggle } from "./selection.js";
import { on, state, tell } from "./state.js";

const REACH = 14; // CSS pixels around a point that still hit it
const REST_MS = 160;
const REACHING = 0.35; // of the map's width or height that a shifted picture may leave empty

export class MapView {
  /** `map` is an entry of `state.maps`; `actions` has play(level, row) and say(text). */
  constructor(map, actions) {
    this.map = map;
    this.actions = actions;
    this.camera = new Camera();
    this.pacing = new Pacing();
    this.pointers = new Map();
    this.cursor = -1;
    this.canvas = h("canvas", { class: "points", "aria-hidden": "true" });
    this.overlay = h("canvas", { class: "overlay", "aria-hidden": "true" });
    this.tip = h("div", { class: "tip", "aria-hidden": "true", hidden: true });
    this.message = h("p", { class: "map-message", hidden: true });
    this.element = h(
      "div",
      {
        class: "map",
        tabIndex: 0,
        role: "application",
        "aria-label": "Map of songs. Arrow keys move from point to point, Enter plays, S selects, plus and minus zoom, Shift with arrows moves the map, 0 shows everything.",
        "aria-roledescription": "map",
      },
      this.canvas,
      this.overlay,
      this.tip,
      this.message,
    );
    this.points = new Points(this.canvas);
    if (!this.points.supported) this.complain("This browser offers no WebGL 2; the lists beside the map still work.");
    this.listen();
    on("look selection", () => this.paint());
    on("current hover", () => this.requestOverlay());
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  complain(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  /** Take the coordinates of the map's present model, level and projection. */
  show() {
    const { map } = this;
    const positions = map.data.maps[map.projection];
    this.positions = positions;
    this.n = positions.length / 2;
    this.order = shuffled(this.n);
    const ordered = new Float32Array(positions.length);
    this.order.forEach((row, i) => {
      ordered[2 * i] = positions[2 * row];
      ordered[2 * i + 1] = positions[2 * row + 1];
    });
    this.rowOf = new Map(Array.from(map.data.points, (row, i) => [row, i]));
    this.cursor = -1;
    this.camera.fit(positions);
    this.camera.reset();
    this.points.setPositions(ordered);
    if (this.points.supported) this.complain(this.n ? "" : "This representation has no points at this level.");
    this.paint();
  }

  /** Colours and shapes of all points. */
  paint() {
    if (!this.positions) return;
    const { map } = this;
    const { dark } = state;
    this.colour = valuesOf(state.colour, map);
    this.shape = state.shape === "none" ? null : valuesOf(state.shape, map);
    const colours = new Uint8Array(4 * this.n);
    const shapes = new Uint8Array(this.n);
    const missing = rgb(dark ? MISSING.dark : MISSING.light);
    const chosen = map.level === "window" ? state.selectedWindows : state.selectedSongs;
    const dim = state.nSelected > 0;
    const looks = this.colour.kind === "classes" ? this.colour.names.map((_, code) => look(code, dark)) : null;
    const span = this.colour.high - this.colour.low || 1;
    for (let i = 0; i < this.n; i++) {
      const row = this.order[i];
      let colour = missing;
      let shape = 0;
      let hidden = false;
      if (looks) {
        const code = this.colour.codes[row];
        if (code >= 0) ({ colour, shape } = looks[code]);
        hidden = state.hidden.has(code);
      } else if (Number.isFinite(this.colour.values[row])) {
        colour = ramp((this.colour.values[row] - this.colour.low) / span, dark);
      }
      if (this.shape) shape = this.shape.codes[row] < 0 ? 0 : this.shape.codes[row] % SHAPES.length;
      const off = dim && !chosen[map.data.points[row]];
      colours[4 * i] = colour[0];
      colours[4 * i + 1] = colour[1];
      colours[4 * i + 2] = colour[2];
      colours[4 * i + 3] = hidden ? 0 : off ? 46 : 235;
      shapes[i] = shape;
    }
    this.plain = !shapes.some(Boolean) && this.n > 20_000;
    this.points.setLooks(colours, shapes);
    this.draw();
    this.painted?.();
  }

  get size() {
    const base = this.n < 300 ? 13 : this.n < 1500 ? 10 : this.n < 8000 ? 7 : this.n < 40_000 ? 4.5 : 3;
    return base * Math.min(Math.max(this.camera.zoom ** 0.3, 0.8), 3);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.max(Math.round(width * ratio), 1);
      canvas.height = Math.max(Math.round(height * ratio), 1);
    }
    this.ratio = ratio;
    this.camera.resize(width, height);
    this.draw();
  }

  /** Draw all points where the camera is now. */
  draw() {
    const paper = state.dark ? PAPER.dark : PAPER.light;
    const { x, y, scale, view } = this.camera;
    this.points.draw(view, this.size * (this.ratio ?? 1), rgb(paper).map((value) => value / 255), this.plain);
    this.pictured = { x, y, scale };
    this.canvas.style.transform = "";
    this.element.style.backgroundColor = paper; // beside a picture that is shifted
    this.drawOverlay();
  }

  /** Move the last picture to where the camera is now; false where too little of it would be seen. */
  shift() {
    const { camera, pictured } = this;
    const zoom = camera.scale / pictured.scale;
    const right = (pictured.x - camera.x) * camera.scale;
    const down = (camera.y - pictured.y) * camera.scale;
    const far = Math.abs(right) > REACHING * camera.width || Math.abs(down) > REACHING * camera.height;
    if (far || zoom < 0.7 || zoom > 2) return false;
    this.canvas.style.transform = `translate(${right}px, ${down}px) scale(${zoom})`;
    this.drawOverlay();
    return true;
  }

  /** The map moved: show it at the next frame, and drawn anew once it rests. */
  moved() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.draw(), REST_MS);
    if (this.frame) return;
    this.frame = requestAnimationFrame((now) => {
      this.frame = null;
      if (this.pacing.frame(now, this.n) || !this.shift()) this.draw();
    });
  }

  requestOverlay() {
    this.overlayFrame ??= requestAnimationFrame(() => {
      this.overlayFrame = null;
      this.drawOverlay();
    });
  }

  /** The point of a song or window on this map: the window's own, else one of its song. */
  pointOf({ song, window }) {
    if (!this.rowOf || song < 0) return [];
    if (this.map.level === "song") return this.rowOf.has(song) ? [this.rowOf.get(song)] : [];
    if (window >= 0) return this.rowOf.has(window) ? [this.rowOf.get(window)] : [];
    return state.run.windowsOf[song].filter((row) => this.rowOf.has(row)).map((row) => this.rowOf.get(row));
  }

  at(i) {
    return this.camera.toScreen(this.positions[2 * i], this.positions[2 * i + 1]);
  }

  drawOverlay() {
    const { camera } = this;
    const { current, hover } = state;
    const cursor = this.cursor >= 0 && document.activeElement === this.element;
    // An empty sheet over the map would cost a good part of every frame.
    const empty = !this.positions || !(cursor || this.outline || current.song >= 0 || hover.song >= 0);
    this.overlay.hidden = empty;
    if (empty) return;
    const context = this.overlay.getContext("2d");
    context.setTransform(this.ratio ?? 1, 0, 0, this.ratio ?? 1, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    const ink = state.dark ? "#fff" : "#111";
    const paper = state.dark ? PAPER.dark : PAPER.light;
    const ring = (i, radius, width) => {
      const [x, y] = this.at(i);
      for (const [colour, line] of [[paper, width + 2.5], [ink, width]]) {
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.stroke();
      }
    };
    const half = this.size / 2;
    // The other windows of the song that plays: a thin trail, in order of time.
    if (current.song >= 0 && this.map.level === "window") {
      const trail = this.pointOf({ song: current.song, window: -1 });
      context.beginPath();
      trail.forEach((i, nth) => context[nth ? "lineTo" : "moveTo"](...this.at(i)));
      context.strokeStyle = ink;
      context.globalAlpha = 0.35;
      context.lineWidth = 1.2;
      context.stroke();
      context.globalAlpha = 1;
    }
    for (const i of this.pointOf(hover)) ring(i, half + 3, 1.2);
    for (const i of this.pointOf(current)) ring(i, half + 5, 2.4);
    if (cursor) {
      const [x, y] = this.at(this.cursor);
      context.strokeStyle = ink;
      context.lineWidth = 1.6;
      context.setLineDash([4, 3]);
      context.strokeRect(x - half - 8, y - half - 8, 2 * half + 16, 2 * half + 16);
      context.setLineDash([]);
    }
    if (this.outline?.length) {
      context.beginPath();
      this.outline.forEach(([x, y], nth) => context[nth ? "lineTo" : "moveTo"](x, y));
      context.closePath();
      context.fillStyle = state.dark ? "rgb(255 255 255 / 12%)" : "rgb(0 60 120 / 10%)";
      context.fill();
      context.strokeStyle = ink;
      context.lineWidth = 1.4;
      context.setLineDash([5, 4]);
      context.stroke();
      context.setLineDash([]);
    }
  }

  /** The visible point nearest to a place on the screen; -1 where none is near. */
  hit(px, py, reach = REACH) {
    const [x, y] = this.camera.toPlane(px, py);
    let best = (reach / this.camera.scale) ** 2;
    let found = -1;
    for (let i = 0; i < this.n; i++) {
      const dx = this.positions[2 * i] - x;
      const dy = this.positions[2 * i + 1] - y;
      const d = dx * dx + dy * dy;
      if (d < best && !this.isHidden(i)) {
        best = d;
        found = i;
      }
    }
    return found;
  }

  isHidden(i) {
    return this.colour.kind === "classes" && state.hidden.has(this.colour.codes[i]);
  }

  what(i) {
    const row = this.map.data.points[i];
    return this.map.level === "window"
      ? { song: state.run.windows.song[row], window: row }
      : { song: row, window: -1 };
  }

  play(i) {
    if (i >= 0) this.actions.play(this.map, this.map.data.points[i]);
  }

  pointAt(i, px, py) {
    const next = i < 0 ? { song: -1, window: -1 } : this.what(i);
    if (next.song !== state.hover.song || next.window !== state.hover.window) {
      state.hover = next;
      tell("hover");
    }
    this.tip.hidden = i < 0;
    this.element.classList.toggle("pointing", i >= 0 && state.tool === "pan");
    if (i < 0) return;
    const songs = state.run.songs;
    this.tip.replaceChildren(
      h("strong", { dir: "auto" }, songs.title[next.song] ?? "Untitled"),
      h("span", { dir: "auto" }, songs.artist[next.song] ?? ""),
      h("span", { class: "muted" }, this.describe(i)),
    );
    const right = px > this.camera.width / 2;
    Object.assign(this.tip.style, {
      left: right ? "" : `${px + 14}px`,
      right: right ? `${this.camera.width - px + 14}px` : "",
      top: `${Math.min(Math.max(py - 20, 4), this.camera.height - 70)}px`,
    });
  }

  /** The value that colours a point, in words. */
  describe(i) {
    const { colour } = this;
    if (colour.kind === "classes") {
      const code = colour.codes[i];
      return `${colour.title}: ${code < 0 ? colour.unknownName : colour.names[code]}`;
    }
    const value = colour.values[i];
    return `${colour.title}: ${Number.isFinite(value) ? `${Number(value.toPrecision(3))} ${colour.unit}` : "not known"}`;
  }

  listen() {
    const { element } = this;
    const place = (event) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.positions) return;
      element.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.travelled = 0;
      this.activate();
      if (this.pointers.size === 1 && (state.tool === "lasso" || event.shiftKey)) this.outline = [place(event)];
    });
    element.addEventListener("pointermove", (event) => {
      if (!this.positions) return;
      const [px, py] = place(event);
      const before = this.pointers.get(event.pointerId);
      if (!before) {
        if (event.pointerType !== "touch") this.pointAt(this.hit(px, py), px, py);
        return;
      }
      const [dx, dy] = [px - before[0], py - before[1]];
      this.travelled += Math.abs(dx) + Math.abs(dy);
      if (this.pointers.size === 2) {
        this.outline = null;
        const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
        const [old, now] = [before, [px, py]].map(([x, y]) => Math.hypot(x - other[0], y - other[1]));
        this.camera.zoomAt(now / Math.max(old, 1), (px + other[0]) / 2, (py + other[1]) / 2);
        this.camera.pan(dx / 2, dy / 2);
        this.moved();
      } else if (this.outline) {
        this.outline.push([px, py]);
        this.requestOverlay();
      } else if (this.travelled > 3) {
        this.camera.pan(dx, dy);
        this.moved();
      }
      this.pointers.set(event.pointerId, [px, py]);
    });
    const up = (event) => {
      if (!this.pointers.delete(event.pointerId)) return;
      const [px, py] = place(event);
      if (this.outline && this.travelled > 8) this.closeLasso(event.ctrlKey || event.metaKey);
      else if (this.travelled <= 5 && event.type === "pointerup") this.play(this.hit(px, py));
      this.outline = null;
      this.requestOverlay();
    };
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("pointerleave", () => this.pointAt(-1));
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const [px, py] = place(event);
        const lines = event.deltaMode === 1 ? 16 : 1;
        this.camera.zoomAt(Math.exp((-event.deltaY * lines) / 300), px, py);
        this.moved();
      },
      { passive: false },
    );
    element.addEventListener("dblclick", () => this.zoom(2));
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("focus", () => {
      this.activate();
      this.requestOverlay();
    });
    element.addEventListener("blur", () => this.requestOverlay());
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.points.prepare();
      if (this.positions) this.show();
    });
  }

  activate() {
    const index = state.maps.indexOf(this.map);
    if (index >= 0 && state.active !== index) {
      state.active = index;
      tell("active");
    }
  }

  zoom(factor) {
    this.camera.zoomAt(factor);
    this.moved();
  }

  home() {
    this.camera.reset();
    this.moved();
  }

  closeLasso(add) {
    const outline = this.outline.map(([x, y]) => this.camera.toPlane(x, y));
    const rows = enclosed(this.positions, outline)
      .filter((i) => !this.isHidden(i))
      .map((i) => this.map.data.points[i]);
    selectRows(this.map.level, rows, add);
    this.actions.say(`${rows.length} ${this.map.level === "window" ? "windows" : "songs"} selected`);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.n) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) {
      this.camera.pan(-arrow[0] * 60, arrow[1] * 60);
      this.moved();
    } else if (arrow) this.step(...arrow);
    else if (event.key === "Enter") this.play(this.cursor);
    else if (event.key === "s" || event.key === "S") {
      if (this.cursor >= 0) toggle(this.map.level, this.map.data.points[this.cursor]);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.home();
    else return;
    event.preventDefault();
  }

  /** Move the keyboard's cursor to the nearest point in a direction. */
  step(dx, dy) {
    let [x, y] = [this.camera.x, this.camera.y];
    const start = this.cursor;
    if (start >= 0) [x, y] = [this.positions[2 * start], this.positions[2 * start + 1]];
    let best = Infinity;
    let found = -1;
    for (let i = 0; i < this.n; i++) {
      if (i === start || this.isHidden(i)) continue;
      const ox = this.positions[2 * i] - x;
      const oy = this.positions[2 * i + 1] - y;
      const along = ox * dx + oy * dy;
      const aside = Math.abs(ox * dy - oy * dx);
      if (start >= 0 && (along <= 0 || aside > 1.2 * along)) continue;
      const cost = start < 0 ? Math.hypot(ox, oy) : along + 2 * aside;
      if (cost < best) {
        best = cost;
        found = i;
      }
    }
    if (found < 0) return;
    this.cursor = found;
    const [px, py] = this.at(found);
    const outside = px < 20 || py < 20 || px > this.camera.width - 20 || py > this.camera.height - 20;
    if (outside) {
      this.camera.pan(this.camera.width / 2 - px, this.camera.height / 2 - py);
      this.moved();
    }
    const { song, window } = this.what(found);
    const { songs, windows } = state.run;
    const when = window < 0 ? "" : `, from ${Math.round(windows.start_s[window])} seconds`;
    this.actions.say(`${songs.title[song] ?? "Untitled"} by ${songs.artist[song] ?? "unknown"}${when}. ${this.describe(found)}`);
    state.hover = { song, window };
    tell("hover");
    this.requestOverlay();
  }
}

export const swatchColour = (code, dark) => css(look(code, dark).colour);
