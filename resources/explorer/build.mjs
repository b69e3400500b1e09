// Writes page: one classic script (a page opened from disk may load no modules), style, page.
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const out = process.argv[2] ?? "page";
await mkdir(out, { recursive: true });
await build({
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome109", "firefox115", "safari16"],
  charset: "utf8",
  legalComments: "inline",
  outfile: `${out}/explorer.js`,
});
await build({ entryPoints: ["src/style.css"], minify: true, outfile: `${out}/explorer.css` });
await copyFile("src/index.html", `${out}/index.html`);
