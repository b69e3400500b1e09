/** A way from one song to another in even steps, as `make playlist FROM= TO=` goes it. */

/**
 * Rows of `z` (n vectors of `dim` values) from `first` to `last`: the straight line between both is
 * divided evenly, and at each point stands the nearest row that does not yet stand anywhere.
 */
export function wayBetween({ z, dim }, first, last, most) {
  const n = z.length / dim;
  const steps = Math.min(most, n);
  const used = new Set([first, last]);
  const way = [first];
  for (let step = 1; step < steps - 1; step++) {
    const share = step / (steps - 1);
    let best = -1;
    let nearest = Infinity;
    for (let row = 0; row < n; row++) {
      if (used.has(row)) continue;
      let distance = 0;
      for (let i = 0; i < dim; i++) {
        const point = (1 - share) * z[first * dim + i] + share * z[last * dim + i];
        distance += (z[row * dim + i] - point) ** 2;
      }
      if (distance < nearest) {
        nearest = distance;
        best = row;
      }
    }
    used.add(best);
    way.push(best);
  }
  return [...way, last];
}
