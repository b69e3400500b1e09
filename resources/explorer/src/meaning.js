/** What a query means in the run's own words: tags, languages, genres, and words of near meaning. */
import { state } from "./state.js";
import { tagNames, tagNamed } from "./tags.js";
import { plain } from "./text.js";

const SURE = 0.1;

/** Whole words of `wanted` (plain text) that are `name`. */
const holds = (wanted, name) => ` ${loose(wanted)} `.includes(` ${loose(name)} `);
const loose = (text) => plain(text).replace(/[^\p{L}\p{N}]+/gu, " ").trim();

/** What the query names: { name, weight(song) }, weight 0 where a song is nothing of it. */
export function facetsOf(wanted) {
  const found = [];
  for (const key of ["language", "genre"]) {
    const one = state.run.attributes.find((attribute) => attribute.key === key);
    one?.names?.forEach((name, code) => {
      if (holds(wanted, name)) found.push({ name, weight: (song) => (one.codes[song] === code ? 1 : 0) });
    });
  }
  const named = new Set(found.map((one) => loose(one.name)));
  for (const name of tagNames()) {
    const probability = tagNamed(name.toLowerCase());
    if (holds(wanted, name) && !named.has(loose(name)))
      found.push({ name, weight: (song) => (probability[song] >= SURE ? probability[song] : 0) });
  }
  return found;
}

/** Words of near meaning to the query's words, without these: { known, near }. */
export function nearWords(wanted, vocabulary) {
  const asked = loose(wanted).split(" ").filter(Boolean);
  const spelt = vocabulary.words.map(loose);
  const near = new Set();
  let known = 0;
  for (const word of asked) {
    const at = spelt.indexOf(word);
    if (at < 0) continue;
    known++;
    for (const other of vocabulary.near[at]) if (!asked.includes(spelt[other])) near.add(vocabulary.words[other]);
  }
  return { known, near: [...near] };
}
