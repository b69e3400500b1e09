/** The panel "Decoded": what the latent of a model sounds like. */
import { load } from "./data.js";
import { fill, h, icon, select, told } from "./dom.js";
import * as player from "./player.js";
import { activeMap, on, state } from "./state.js";
import { clock, many } from "./text.js";

export function decodedPanel(actions) {
  const content = h("div", {});
  const trouble = h("p", { class: "trouble", role: "status", hidden: true });
  const audio = h("audio", {});
  const element = h("div", { class: "decoded" }, h("h2", { class: "visually-hidden" }, "Decoded"), trouble, content, audio);
  let visible = false;
  let shownModel = -1;
  let coming = []; // sounds that play one after another
  let pressed = null; // the button of what plays

  function complain(text) {
    trouble.hidden = !text;
    trouble.textContent = text ?? "";
  }
  function quiet() {
    audio.pause();
    pressed?.setAttribute("aria-pressed", "false");
    pressed = null;
  }
  function next() {
    quiet();
    const sound = coming.shift();
    if (!sound) return;
    pressed = sound.button;
    pressed?.setAttribute("aria-pressed", "true");
    audio.src = sound.url;
    audio.play().catch((error) => {
      if (error.name !== "AbortError") complain("The sound file cannot be read; was the folder copied whole?");
    });
  }
  audio.addEventListener("ended", next);
  /** Play sounds { url, button? } one after another; pressed again they stop. */
  function play(...sounds) {
    const again = pressed && pressed === sounds[0].button;
    coming = [];
    quiet();
    complain(null);
    if (again) return;
    player.audio.pause();
    coming = sounds;
    next();
  }
  on("playing", ({ error }) => {
    if (visible) complain(error);
    if (player.audio.paused) return;
    coming = [];
    quiet();
  });

  async function show() {
    if (!visible) return;
    const { model } = activeMap();
    if (model === shownModel) return;
    coming = [];
    quiet();
    shownModel = model;
    const { run } = state;
    const { name } = run.models[model];
    if (run.decoded[model]) {
      const able = run.models.map((one, number) => [one.name, number]).filter(([, number]) => !run.decoded[number]);
      fill(content, h("div", { class: "empty" },
        h("p", {}, `${name} has no decoded sounds: ${run.decoded[model]}.`),
        able.length > 0 && h("p", {}, "These have some:"),
        h("p", { class: "chips" }, able.map(([other, number]) =>
          h("button", { type: "button", class: "button", onclick: () => actions.showModel(number) }, other)))));
      return;
    }
    const data = await load(`decoded-${model}`);
    if (model !== shownModel) return;
    fill(content, page(data, model, name));
  }

  function page(data, model, name) {
    const { run } = state;
    const url = (sound) => `decoded/${model}/${sound}.mp3`;
    const pitch = (sound) => `centre of its spectrum ${Math.round(data.sounds[sound].centroid_hz).toLocaleString("en")} Hz`;
    const songOf = (sound) => run.songs.title[run.windows.song[data.sounds[sound].near]] ?? "Untitled";
    const placed = (sound) => `${songOf(sound)}, ${clock(run.windows.start_s[data.sounds[sound].near])}`;
    const names = data.clustering === "consensus" ? run.models[model].clusterings.find((one) => one.names)?.names : null;
    const cluster = (number) => `Cluster ${number + 1}${names?.[number] ? `: ${names[number]}` : ""}`;

    /** A button that plays one decoded sound. */
    const decoded = (sound, text, label) => {
      const button = h("button", {
        type: "button", class: "play-song", "aria-pressed": "false", "aria-label": `${label}, decoded; ${pitch(sound)}`, title: pitch(sound),
        onclick: () => play({ url: url(sound), button }),
      }, icon("play"), text);
      return button;
    };
    /** A button that plays the real window nearest to a decoded sound. */
    const real = (sound, text = null) =>
      h("button", { type: "button", class: "play-song", "aria-label": `Nearest song: ${placed(sound)}`, onclick: () => player.play(run.windows.song[data.sounds[sound].near], data.sounds[sound].near) },
        icon("play"), text ?? told(songOf(sound)));

    const journey = (one) => {
      const from = cluster(one.cluster);
      const way = one.to === null ? `${placed(one.sounds[0])} to ${placed(one.sounds.at(-1))}` : `${from} to ${cluster(one.to)}`;
      const buttons = one.sounds.map((sound, i) => decoded(sound, String(i + 1), `Step ${i + 1} of ${one.sounds.length}`));
      const all = h("button", { type: "button", class: "button", onclick: () => play(...one.sounds.map((sound, i) => ({ url: url(sound), button: buttons[i] }))) }, "Play all");
      return { way, row: h("ol", { class: "steps", "aria-label": way }, one.sounds.map((sound, i) =>
        h("li", {}, buttons[i], real(sound)))), all };
    };
    const journeys = data.journeys.map(journey);
    const holder = h("div", {});
    const showJourney = (at) => {
      coming = [];
      quiet();
      fill(holder, journeys[at].row, h("div", { class: "card-actions" }, journeys[at].all));
    };
    if (journeys.length) showJourney(0);

    const slider = (one) => {
      const middle = one.steps_sd.indexOf(0);
      const sd = (step) => `${step > 0 ? "+" : step < 0 ? "−" : ""}${Math.abs(step)} SD`;
      const value = h("output", { class: "muted" }, sd(0));
      const input = h("input", {
        type: "range", min: 0, max: one.sounds.length - 1, step: 1, value: middle,
        "aria-label": `Dimension ${one.dimension}`, "aria-valuetext": `${sd(0)}, ${pitch(one.sounds[middle])}`,
        oninput: () => {
          const at = Number(input.value);
          value.textContent = sd(one.steps_sd[at]);
          input.setAttribute("aria-valuetext", `${sd(one.steps_sd[at])}, ${pitch(one.sounds[at])}`);
        },
        onchange: () => play({ url: url(one.sounds[Number(input.value)]) }),
      });
      return h("div", { class: "slider" }, h("span", {}, `Dimension ${one.dimension}`), input, value,
        h("button", { type: "button", class: "button", "aria-label": `Play dimension ${one.dimension} as it is set`, onclick: () => play({ url: url(one.sounds[Number(input.value)]) }) }, "Play"));
    };

    const heard = [...data.reconstructions].sort((a, b) => data.sounds[a.sound].near - data.sounds[b.sound].near);
    return [
      h("p", { class: "note" }, `Decoded by ${name}. Sounds of small models are coarse: what is blurred here, the model did not keep. Each has the level and the dynamic range of the nearest window of a real song; all are equally loud.`),
      h("p", { class: "muted note" }, many(data.sounds.length, "sound"), ` of at most ten seconds.`,
        data.withheld > 0 && ` ${many(data.withheld, "song")} left out: the licence forbids derivatives.`,
        data.silent > 0 && ` ${many(data.silent, "window")} left out: silent.`),
      h("h3", {}, "Clusters"),
      data.clusters.length
        ? [h("p", { class: "muted note" }, `The centre of each cluster (${data.clustering}), and the song nearest to it.`),
          h("ul", { class: "steps" }, data.clusters.map((one) =>
            h("li", {}, decoded(one.sound, told(cluster(one.cluster)), `Centre of ${cluster(one.cluster)}`), real(one.sound))))]
        : h("p", { class: "muted" }, "This run has no clusters of songs."),
      journeys.length > 0 && [
        h("h3", {}, "Journeys"),
        h("p", { class: "muted note" }, "Even steps from one place of the latent to another; beside each, the nearest song."),
        select("From and to", journeys.map(({ way }, at) => [String(at), way]), "0", (at) => showJourney(Number(at))),
        holder],
      h("h3", {}, "One dimension at a time"),
      data.sliders.length
        ? [h("p", { class: "muted note" }, `A window near the middle of all (${placed(data.sliders[0].sounds[0])}), while one dimension moves from its mean. The dimensions that say most of a window come first.`),
          data.sliders.map(slider)]
        : h("p", { class: "muted" }, "This model has no prior to move through: it is not variational."),
      h("h3", {}, "What the model heard"),
      h("p", { class: "muted note" }, "A window as the model reconstructs it, and as it is; in dB the mean difference of their spectrograms."),
      h("ul", { class: "steps" }, heard.map((one) => h("li", {},
        decoded(one.sound, `${one.error_db.toFixed(1)} dB`, `${placed(one.sound)}, ${one.error_db.toFixed(1)} dB off`), real(one.sound)))),
    ];
  }

  on("maps active", show);
  return {
    element,
    shown(now) {
      visible = now;
      if (now) show();
      else {
        coming = [];
        quiet();
      }
    },
  };
}
