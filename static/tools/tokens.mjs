// Writes css/tokens.css: the Fluent 2 tokens that css/base.css and css/components.css name, and no others.
// Run by hand, the output is committed:  npm install @fluentui/tokens@1.0.0-alpha.24 in a folder of its own,
// then  NODE_PATH=<that folder>/node_modules node static/tools/tokens.mjs
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";

const { webLightTheme: light, webDarkTheme: dark } = createRequire(import.meta.url)("@fluentui/tokens");
const css = (name) => new URL(`../css/${name}`, import.meta.url);

const COLOUR = /rgba?\([^)]*\)|#[0-9a-f]{3,8}/gi;

/** One value for both schemes: light-dark() takes colours only, so a shadow gets it around each of its colours. */
function both(lightValue, darkValue) {
  if (lightValue === darkValue) return lightValue;
  const darkColours = darkValue.match(COLOUR) ?? [];
  const shapes = [lightValue, darkValue].map((value) => value.replace(COLOUR, "_"));
  if (shapes[0] !== shapes[1]) throw new Error(`Not the same shape: ${lightValue} and ${darkValue}`);
  let n = 0;
  return lightValue.replace(COLOUR, (colour) => `light-dark(${colour}, ${darkColours[n++]})`);
}

const sources = ["base.css", "components.css"].map((name) => readFileSync(css(name), "utf8")).join("\n");
const used = [...new Set([...sources.matchAll(/var\(--([A-Za-z0-9]+)\)/g)].map((match) => match[1]))].sort();
const unknown = used.filter((name) => !(name in light));
if (unknown.length) throw new Error(`Not Fluent tokens: ${unknown.join(", ")}`);

writeFileSync(css("tokens.css"), `/* Made by static/tools/tokens.mjs from @fluentui/tokens (MIT, see LICENSES.md). Do not edit.
   The names are Fluent's own, so Fluent's documentation is ours. */
:root {
  color-scheme: light dark;
${used.map((name) => `  --${name}: ${both(String(light[name]), String(dark[name]))};`).join("\n")}
}

:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
`);
console.log(`${used.length} tokens`);
