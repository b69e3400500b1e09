/** Text made comparable: no accents, vowel signs or case, so that whoever searches need not care. */
export const plain = (text) =>
  text
    .normalize("NFKD")
    .replace(/[\p{M}\u0640]/gu, "")
    .toLowerCase()
    .replace(/[’`]/g, "'")
    .replace(/\s+/g, " ")
    .trim();

/** `m:ss` */
export function clock(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Whose labels a model saw, by `supervision`; nothing is said where it saw none. */
export const SAW = {
  elsewhere: ["others' labels", "Its weights were trained on other people's labels and may have heard some of these songs"],
  labels: ["saw labels", "The model was shown labels: its score is not an unsupervised one"],
};

export const many = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
