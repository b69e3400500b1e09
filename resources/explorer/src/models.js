/** The panel "Models": the comparison table; a row switches the map. */
import { fill, h, select } from "./dom.js";
import { activeMap, on, state } from "./state.js";
import { SAW } from "./text.js";

const TASKS = { language: "language", genre: "genre", language_genre: "language and genre", artist: "artist", song: "song" };
const LEVELS = { window: "windows", song: "songs", song_vote: "songs by majority of windows" };

export function modelsPanel(actions) {
  const bar = h("div", { class: "panel-bar" });
  const holder = h("div", { class: "table-holder", tabIndex: 0, role: "region", "aria-label": "Comparison of representations" });
  const { rows, columns } = state.run.comparison;
  const tasks = [...new Set(rows.map((row) => row.task))];
  const levels = [...new Set(rows.map((row) => row.level))];
  let task = tasks[0];
  let level = levels.includes("song") ? "song" : levels[0];
  let sort = { column: 0, down: true };

  function show() {
    const shown = rows.filter((row) => row.task === task && row.level === level);
    const value = (row) => (sort.column < 0 ? row.model : row.values[sort.column]);
    shown.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return sort.down ? -order : order;
    });
    const head = (name, column) => {
      const sorted = sort.column === column;
      return h("th", { scope: "col", "aria-sort": sorted ? (sort.down ? "descending" : "ascending") : "none" },
        h("button", { type: "button", onclick: () => {
          sort = { column, down: sorted ? !sort.down : column >= 0 };
          show();
          holder.querySelectorAll("th button")[column + 1].focus();
        } }, name, h("span", { "aria-hidden": "true", class: "arrow" }, sorted ? (sort.down ? " ↓" : " ↑") : "")));
    };
    const on_map = activeMap()?.model;
    fill(
      holder,
      h("table", {},
        h("thead", {}, h("tr", {}, head("Model", -1), columns.map(head))),
        h("tbody", {}, shown.map((row) => {
          const number = state.run.models.findIndex((one) => one.name === row.model);
          const saw = SAW[row.supervision];
          return h("tr", { class: number === on_map ? "chosen" : "", onclick: () => number >= 0 && actions.showModel(number) },
            h("th", { scope: "row" },
              h("button", { type: "button", disabled: number < 0, "aria-pressed": String(number === on_map) }, row.model),
              saw && h("small", { title: saw[1] }, ` ${saw[0]}`)),
            row.values.map((one) => h("td", {}, one === null ? "–" : (Math.abs(one) < 0.005 ? 0 : one).toFixed(2).replace("-", "−"))));
        }))),
    );
  }

  function showBar() {
    fill(
      bar,
      select("Compared with", tasks.map((one) => [one, TASKS[one] ?? one]), task, (value) => {
        task = value;
        show();
      }),
      select("Level", levels.map((one) => [one, LEVELS[one] ?? one]), level, (value) => {
        level = value;
        show();
      }),
    );
  }

  showBar();
  show();
  on("maps active", show);
  return h("div", { class: "models" }, h("h2", { class: "visually-hidden" }, "Models"), bar, holder,
    h("p", { class: "muted note" }, "NMI, AMI, ARI and purity: mean over k-means, Ward linkage and GMM with as many clusters as there are classes. Compare NMI with its chance level, not with 0. A row switches the map."));
}
