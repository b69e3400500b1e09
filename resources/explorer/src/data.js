/** The run's data, which arrive as classic scripts that call `SONGATLAS.provide(name, value)`. */

const waiting = new Map();
const loaded = new Map();

globalThis.SONGATLAS = {
  provide(name, value) {
    loaded.set(name, value);
  },
};

/** Load `data/<name>.js` once; a promise of its value. */
export function load(name) {
  if (!waiting.has(name)) {
    waiting.set(
      name,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => {
          if (loaded.has(name)) resolve(loaded.get(name));
          else reject(new Error(`data/${name}.js holds something else`));
          loaded.delete(name);
          script.remove();
        };
        script.onerror = () => {
          waiting.delete(name);
          reject(new Error(`data/${name}.js cannot be read; was the folder copied whole?`));
        };
        document.head.append(script);
      }),
    );
  }
  return waiting.get(name);
}

const TYPES = {
  f32: Float32Array,
  u16: Uint16Array,
  i16: Int16Array,
  i32: Int32Array,
  u8: Uint8Array,
};

/** The typed array in `{ f32: "<base64>" }` (little-endian, as every browser's machine is). */
export function unpack(packed) {
  const [kind, text] = Object.entries(packed).find(([key]) => key in TYPES);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new TYPES[kind](bytes.buffer);
}

/** The first file: songs, windows, attributes, models, comparison. Arrays unpacked. */
export async function loadRun() {
  const run = await load("run");
  run.songs.duration_s = unpack(run.songs.duration_s);
  for (const key of ["song", "start_s", "end_s"]) run.windows[key] = unpack(run.windows[key]);
  run.has_lyrics = unpack(run.has_lyrics);
  run.has_spectrogram = unpack(run.has_spectrogram);
  run.audio.preview = unpack(run.audio.preview);
  for (const key of Object.keys(run.musical_time ?? {})) run.musical_time[key] = unpack(run.musical_time[key]);
  for (const attribute of run.attributes)
    for (const key of ["codes", "song", "window"])
      if (attribute[key]) attribute[key] = unpack(attribute[key]);
  run.nSongs = run.songs.id.length;
  run.nWindows = run.windows.song.length;
  run.windowsOf = Array.from({ length: run.nSongs }, () => []);
  run.windows.song.forEach((song, row) => run.windowsOf[song].push(row));
  return run;
}

const models = new Map();

/** Maps, labels and neighbours of one model, arrays unpacked. */
export async function loadModel(number) {
  if (!models.has(number)) {
    const data = await load(`model-${number}`);
    for (const level of Object.values(data.levels)) {
      level.points = unpack(level.points);
      for (const method of Object.keys(level.maps)) level.maps[method] = unpack(level.maps[method]);
    }
    data.labels = data.labels.map(unpack);
    for (const found of Object.values(data.neighbours ?? {}))
      for (const key of ["song", "near", "distance", "share"]) found[key] = unpack(found[key]);
    models.set(number, data);
  }
  return models.get(number);
}

/** Make the descriptor of this name an attribute like the others, from a file of its own. */
export async function loadDescriptor(run, name) {
  const key = `descriptor:${name}`;
  if (run.attributes.some((one) => one.key === key)) return;
  const packed = await load("descriptors");
  const values = (packed.unpacked ??= unpack(packed));
  const width = run.descriptors.length;
  const column = run.descriptors.indexOf(name);
  const window = Float32Array.from({ length: run.nWindows }, (_, row) => values[row * width + column]);
  const song = Float32Array.from(run.windowsOf, (rows) => {
    const known = rows.map((row) => window[row]).filter(Number.isFinite);
    return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : NaN;
  });
  run.attributes.push({ key, label: name, group: "All descriptors", window, song });
}

/** Lines of one song: [start_s, end_s, text], times null where unknown. */
export async function loadLyrics(run, song) {
  const part = await load(`lyrics-${Math.floor(song / run.songs_per_lyrics_file)}`);
  return part[song % run.songs_per_lyrics_file];
}

/** Lines of all songs, in order. */
export async function loadAllLyrics(run) {
  const count = Math.ceil(run.nSongs / run.songs_per_lyrics_file);
  return (await Promise.all(Array.from({ length: count }, (_, i) => load(`lyrics-${i}`)))).flat();
}

const vectors = new Map();

/** Vectors of the songs of one model, for ways between songs: { song, z, dim }. */
export async function loadVectors(number) {
  if (!vectors.has(number)) {
    const found = await load(`vectors-${number}`);
    vectors.set(number, { song: unpack(found.song), z: unpack(found.z), dim: found.dim });
  }
  return vectors.get(number);
}
