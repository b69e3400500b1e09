/** Tags of songs: the attributes of the group "Tags" that hold probabilities. */
import { state } from "./state.js";

const tags = () => state.run.attributes.filter((one) => one.key.startsWith("tag_"));

/** The likeliest tags of a song: [name, probability], the likeliest first. */
export function tagsOf(song, most) {
  return tags()
    .map((one) => [one.label, one.song[song]])
    .filter(([, probability]) => Number.isFinite(probability))
    .sort((a, b) => b[1] - a[1])
    .slice(0, most);
}

/** Probabilities of a tag by song; undefined where the run has no tag of that name. */
export const tagNamed = (name) => tags().find((one) => one.label.toLowerCase() === name)?.song;

export const tagNames = () => tags().map((one) => one.label);
