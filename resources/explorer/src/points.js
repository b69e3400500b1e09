/** Points on the graphics card: one draw call, colour and shape per point. */
import * as twgl from "twgl.js";

const VERTEX = `#version 300 es
in vec2 position;
in vec4 colour;
in float shape;
uniform vec4 view; // scale x, y, offset x, y in clip space
uniform float size;
out vec4 fill;
flat out int form;
void main() {
  gl_Position = vec4(position * view.xy + view.zw, 0.0, 1.0);
  gl_PointSize = colour.a == 0.0 ? 0.0 : size;
  fill = colour;
  form = int(shape);
}`;

// Distance from the form's edge in units of half the point's size; negative inside.
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 fill;
flat in int form;
uniform float size;
uniform vec4 rim;
uniform bool plain;
out vec4 result;
float edge(vec2 p) {
  vec2 a = abs(p);
  if (form == 1) return max(a.x, a.y) - 0.74;
  if (form == 2) return max(a.x * 0.894 + p.y * 0.447 - 0.40, -p.y - 0.75);
  if (form == 3) return a.x + a.y - 0.98;
  if (form == 4) return max(max(a.x, a.y) - 0.92, min(a.x, a.y) - 0.32);
  if (form == 5) return max(a.x * 0.894 - p.y * 0.447 - 0.40, p.y - 0.75);
  if (form == 6) { vec2 r = abs(vec2(p.x + p.y, p.x - p.y)) * 0.7071; return max(max(r.x, r.y) - 0.98, min(r.x, r.y) - 0.30); }
  float d = length(p) - 0.88;
  if (form == 7) return max(d, 0.40 - length(p));
  return d;
}
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (plain) {
    if (dot(p, p) > 0.9) discard;
    result = vec4(fill.rgb * fill.a, fill.a);
    return;
  }
  float d = edge(vec2(p.x, -p.y)) * size * 0.5;
  float alpha = clamp(0.5 - d, 0.0, 1.0) * fill.a;
  if (alpha == 0.0) discard;
  vec3 inside = mix(fill.rgb, rim.rgb, rim.a * clamp(d + 1.5, 0.0, 1.0));
  result = vec4(inside * alpha, alpha);
}`;

/** The renderer of one canvas. `supported` is false where there is no WebGL 2. */
export class Points {
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    this.gl = gl;
    this.supported = Boolean(gl);
    this.n = 0;
    if (gl) this.prepare();
  }

  /** Compile; again when the browser has taken the context away and given it back. */
  prepare() {
    this.program = twgl.createProgramInfo(this.gl, [VERTEX, FRAGMENT]);
    this.buffers = null;
  }

  /** Positions (2n) from -1 to 1, in the order in which they are drawn. */
  setPositions(positions) {
    this.n = positions.length / 2;
    if (!this.supported) return;
    if (this.buffers) for (const { buffer } of Object.values(this.buffers.attribs)) this.gl.deleteBuffer(buffer);
    this.buffers = twgl.createBufferInfoFromArrays(this.gl, {
      position: { numComponents: 2, data: positions },
      colour: { numComponents: 4, data: new Uint8Array(4 * this.n), normalize: true },
      shape: { numComponents: 1, data: new Uint8Array(this.n), normalize: false },
    });
  }

  /** Colours (4n) and shapes (n), bytes, in the order of the positions. */
  setLooks(colours, shapes) {
    if (!this.buffers) return;
    twgl.setAttribInfoBufferFromArray(this.gl, this.buffers.attribs.colour, colours);
    twgl.setAttribInfoBufferFromArray(this.gl, this.buffers.attribs.shape, shapes);
  }

  /** Draw the points on `paper` under a view (scale and offset in clip space). */
  draw(view, size, paper, plain) {
    const { gl } = this;
    if (!this.supported) return;
    gl.viewport(0, 0, gl.canvas.width, gl.canvas.height);
    gl.clearColor(...paper, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.buffers || !this.n) return;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA); // colours are multiplied by their alpha
    gl.useProgram(this.program.program);
    twgl.setBuffersAndAttributes(gl, this.program, this.buffers);
    twgl.setUniforms(this.program, { view, size, rim: [...paper, 0.75], plain });
    gl.drawArrays(gl.POINTS, 0, this.n);
  }
}
