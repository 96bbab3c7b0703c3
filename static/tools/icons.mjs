// Writes icons.svg, the sprite that {% icon %} points into. Run by hand, the output is committed:
// npm install @fluentui/svg-icons in a folder of its own, then
// NODE_PATH=<that folder>/node_modules node static/tools/icons.mjs
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const folder = join(dirname(createRequire(import.meta.url).resolve("@fluentui/svg-icons/package.json")), "icons");

const REGULAR = `add arrow-clockwise arrow-down arrow-download arrow-left arrow-right arrow-sync arrow-up bot checkmark
  checkmark-circle chevron-down chevron-right circle clock code copy delete dismiss document-table edit error-circle
  eye-off fingerprint folder handshake history home info key link lock-closed mail more-horizontal navigation open
  people person person-add person-key plug-connected plug-disconnected rocket search send settings shield-checkmark
  sign-out subtract-circle warning weather-moon weather-sunny wrench`.split(/\s+/);
const FILLED = `bot checkmark-circle document-table error-circle fingerprint folder handshake home info people
  person person-key settings warning wrench`.split(/\s+/);
// Drawn for 12 px: what stands in badges, breadcrumbs and table headers.
const TWELVE = { "arrow-down": "regular", "arrow-up": "regular", "checkmark-circle": "filled", "chevron-down": "regular",
  "chevron-right": "regular", "circle": "regular", "error-circle": "filled", "info": "regular",
  "subtract-circle": "regular", "warning": "filled" };

function symbol(id, name, size, style) {
  const file = readFileSync(join(folder, `${name.replaceAll("-", "_")}_${size}_${style}.svg`), "utf8");
  const paths = file.replace(/^<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
  return `<symbol id="${id}" viewBox="0 0 ${size} ${size}">${paths}</symbol>`;
}

const MARK = `<symbol id="mark" viewBox="0 0 24 24"><rect x="1" y="1" width="22" height="22" rx="5"/>` +
  `<path fill="#fff" d="M5.5 6.5h2v2h2v-2h5v2h2v-2h2v12h-4v-4a2.5 2.5 0 0 0-5 0v4h-4z"/></symbol>`;

writeFileSync(new URL("../icons.svg", import.meta.url), [
  `<svg xmlns="http://www.w3.org/2000/svg">`,
  `<!-- Fluent UI System Icons, MIT, see LICENSES.md; "mark" is ours. Made by static/tools/icons.mjs. -->`,
  MARK,
  ...REGULAR.map((name) => symbol(name, name, 20, "regular")),
  ...FILLED.map((name) => symbol(`${name}-filled`, name, 20, "filled")),
  ...Object.entries(TWELVE).map(([name, style]) => symbol(`${name}-12`, name, 12, style)),
  `</svg>`, ""].join("\n"));
console.log(`${REGULAR.length + FILLED.length + Object.keys(TWELVE).length + 1} symbols`);
