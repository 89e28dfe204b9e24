// Bundles entry.js into the file that is named. Plotly's attributes carry their documentation: a seventh of
// the bytes, which no browser reads, so each `description` is left empty.
import { readFile } from "node:fs/promises";
import { parse } from "acorn";
import { simple } from "acorn-walk";
import { build } from "esbuild";

const descriptions = (source) => {
  const found = [];
  const Property = ({ key, value }) => key.name === "description" && found.push(value);
  simple(parse(source, { ecmaVersion: "latest" }), { Property });
  return found;
};

const undocumented = (source) => {
  let rest = source.length;
  const parts = [];
  for (const { start, end } of descriptions(source).sort((a, b) => b.end - a.end)) {
    if (end > rest) continue; // inside one that is gone already
    parts.unshift('""', source.slice(end, rest));
    rest = start;
  }
  return source.slice(0, rest) + parts.join("");
};

const silent = {
  name: "undocumented",
  setup({ onLoad }) {
    onLoad({ filter: /plotly\.js\/src\/.*\.js$/ }, async ({ path }) => ({ contents: undocumented(await readFile(path, "utf8")) }));
  },
};

await build({
  entryPoints: ["entry.js"],
  outfile: process.argv[2],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "Plotly",
  define: { global: "window" },
  legalComments: "none",
  logLevel: "error",
  plugins: [silent],
});
