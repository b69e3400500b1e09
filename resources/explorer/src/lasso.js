/** Which points lie inside a drawn outline. */

/** Whether (x, y) lies inside `outline` [[x, y], …], by the even-odd rule. */
export function inside(x, y, outline) {
  let within = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [xi, yi] = outline[i];
    const [xj, yj] = outline[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/** Numbers of the points of `positions` (2n) inside the outline. */
export function enclosed(positions, outline) {
  const xs = outline.map(([x]) => x);
  const ys = outline.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const found = [];
  for (let i = 0; i < positions.length / 2; i++) {
    const x = positions[2 * i];
    const y = positions[2 * i + 1];
    if (x >= x0 && x <= x1 && y >= y0 && y <= y1 && inside(x, y, outline)) found.push(i);
  }
  return found;
}
