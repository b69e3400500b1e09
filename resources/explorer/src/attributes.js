/** What colours or shapes the points: a label, a descriptor, or a clustering of the map's model. */
import { state } from "./state.js";

const ALGORITHMS = {
  consensus: "Consensus",
  kmeans: "k-means",
  agglomerative: "Ward",
  gmm: "Gaussian mixture",
  dbscan: "DBSCAN",
  hdbscan: "HDBSCAN",
  spectral: "Spectral",
  own: "The model's own",
};

export const algorithmName = (algorithm, k) =>
  `${ALGORITHMS[algorithm] ?? algorithm}${k === null ? "" : `, k = ${k}`}`;

/** Clusterings that the map's level can show: { key, name, level, index }. */
export function clusteringsOf(map) {
  const model = state.run.models[map.model];
  const wanted = map.level === "window" ? ["window"] : ["song", "song_vote"];
  return model.clusterings
    .map((one, index) => ({
      ...one,
      index,
      key: `cluster:${one.level === "song_vote" ? "vote" : "points"}:${one.algorithm}:${one.k ?? ""}`,
      name: algorithmName(one.algorithm, one.k),
    }))
    .filter((one) => wanted.includes(one.level));
}

/** What a cluster is called: its name with its number, or its number alone. */
export function clusterName(one, label) {
  const number = `Cluster ${label + 1}`;
  return one.names?.[label] ? `${one.names[label]} (${label + 1})` : number;
}

export const clusteringOf = (map, key) => clusteringsOf(map).find((one) => one.key === key);

/** Options of the select "Colour by" for a map, grouped. */
export function colourOptions(map) {
  const groups = new Map();
  for (const attribute of state.run.attributes) {
    if (attribute.key.startsWith("descriptor:")) continue;
    if (!groups.has(attribute.group)) groups.set(attribute.group, []);
    groups.get(attribute.group).push([attribute.key, name(attribute)]);
  }
  const listed = clusteringsOf(map);
  const points = listed.filter((one) => one.level !== "song_vote");
  const votes = listed.filter((one) => one.level === "song_vote");
  const entries = (some) => some.map((one) => [one.key, one.name]);
  const options = [...groups].map(([group, found]) => ({ group, options: found }));
  const at = options.findIndex((one) => one.group === "Factors");
  const clusters = [{ group: "Clusters", options: entries(points) }];
  if (votes.length) clusters.push({ group: "Clusters of windows, by majority", options: entries(votes) });
  options.splice(at < 0 ? options.length : at, 0, ...clusters.filter((one) => one.options.length));
  if (state.run.descriptors.length)
    options.push({ group: "All descriptors", options: state.run.descriptors.map((one) => [`descriptor:${one}`, one]) });
  return options;
}

/** Options of "Shape by": labels with as many values as there are shapes. */
export function shapeOptions(most) {
  return [
    ["none", "nothing"],
    ...state.run.attributes
      .filter((one) => one.names && one.names.length >= 2 && one.names.length <= most)
      .map((one) => [one.key, name(one)]),
  ];
}

const name = (attribute) =>
  attribute.unit ? `${attribute.label} (${attribute.unit})` : attribute.label;

/**
 * Values of `key` for the points (rows of windows or songs) of a map: classes
 * { names, codes, counts } with code -1 for unknown, or a scale { values, low, high }.
 */
export function valuesOf(key, map) {
  const { run } = state;
  const rows = map.data.points;
  const n = rows.length;
  if (key.startsWith("cluster:")) return clusterValues(key, map);
  const attribute = run.attributes.find((one) => one.key === key);
  if (!attribute) return { kind: "classes", title: key, names: [], codes: new Int32Array(n).fill(-1), counts: [], unknown: n };
  const song = map.level === "window" ? (i) => run.windows.song[rows[i]] : (i) => rows[i];
  if (attribute.names) {
    const codes = Int32Array.from({ length: n }, (_, i) => attribute.codes[song(i)]);
    for (let i = 0; i < n; i++) if (codes[i] === 65535) codes[i] = -1;
    return classes(name(attribute), attribute.names, codes, "not known");
  }
  const source = map.level === "window" && attribute.window ? attribute.window : attribute.song;
  const direct = source === attribute.window;
  const values = Float32Array.from({ length: n }, (_, i) => source[direct ? rows[i] : song(i)]);
  const sorted = values.filter(Number.isFinite).sort();
  const quantile = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
  return {
    kind: "scale",
    title: attribute.label,
    unit: attribute.unit ?? "",
    values,
    low: sorted.length ? quantile(0.02) : 0,
    high: sorted.length ? quantile(0.98) : 1,
    unknown: n - sorted.length,
  };
}

function clusterValues(key, map) {
  const one = clusteringOf(map, key);
  const n = map.data.points.length;
  if (!one) {
    const codes = new Int32Array(n).fill(-1);
    return { ...classes("Cluster", [], codes, "no such clustering of this model"), missing: true };
  }
  const labels = Int32Array.from(map.model_data.labels[one.index]);
  const count = labels.reduce((most, label) => Math.max(most, label + 1), 0);
  const names = Array.from({ length: count }, (_, label) => clusterName(one, label));
  const noise = labels.includes(-1);
  return classes(`${one.name}`, names, labels.map((label) => Math.max(label, -1)), noise ? "in no cluster" : "not clustered");
}

function classes(title, names, codes, unknownName) {
  const counts = new Array(names.length).fill(0);
  let unknown = 0;
  for (const code of codes) {
    if (code < 0) unknown++;
    else counts[code]++;
  }
  return { kind: "classes", title, names, codes, counts, unknown, unknownName };
}
