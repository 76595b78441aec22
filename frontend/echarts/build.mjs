// Bundles the parts of ECharts that the dashboard draws with. What they import and our options never reach is left out.

import { build } from "esbuild";
import { minify } from "terser";
import { writeFile } from "node:fs/promises";

/** Modules of ECharts that nothing of ours calls, and what stands in their place. */
const UNUSED = new Map([
  // Options of version 2 to 4, which are rewritten.
  ["echarts/lib/preprocessor/backwardCompat.js", "export default function () {}"],
  // Tooltips are drawn on the canvas.
  ["echarts/lib/component/tooltip/TooltipHTMLContent.js", "export default class {}"],
  ["echarts/lib/theme/dark.js", "export default {};"],
  ["echarts/lib/i18n/langZH.js", "export default {};"],
  ["echarts/lib/loading/default.js", "export default function () {}"],
  ["echarts/lib/legacy/dataSelectAction.js", "export function createLegacyDataSelectAction() {} export function handleLegacySelectEvents() {}"],
]);

const left = new Set(UNUSED.keys());
const leaveOut = {
  name: "leave-out",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules.echarts.lib.*\.js$/ }, ({ path }) => {
      const module = path.replaceAll("\\", "/").split("node_modules/").pop();
      const contents = UNUSED.get(module);
      left.delete(module);
      return contents === undefined ? undefined : { contents };
    });
  },
};

const { outputFiles } = await build({
  entryPoints: ["echarts/echarts.js", "echarts/controls.js"],
  outdir: "out",
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  legalComments: "eof",
  chunkNames: "shared",
  write: false,
  plugins: [leaveOut],
});
// A module that ECharts has moved would come back unnoticed.
if (left.size > 0) throw new Error(`not among the modules: ${[...left].join(", ")}`);

const text = (name) => outputFiles.find(({ path }) => path.endsWith(name)).text;

/** A module as a script: what it shares with others lies in a global, so that each can be fetched by itself. */
function script(module) {
  const names = (list, [from, to]) =>
    list.split(",").map((name) => {
      const [one, other = one] = name.split(" as ");
      return `${[one, other][from]}:${[one, other][to]}`;
    });
  const body = module
    .replace(/import"\.\/shared\.js";/g, "")
    .replace(/import\{([^}]*)\}from"\.\/shared\.js";/g, (_, list) => `const{${names(list, [0, 1])}}=echartsShared;`)
    .replace(/export\{([^}]*)\};/g, (_, list) => `window.echartsShared={${names(list, [1, 0])}};`);
  if (/\b(import|export)\s*[{"]/.test(body)) throw new Error("a module has more than what is shared");
  return `(()=>{${body}})();`;
}

for (const [name, source] of [
  ["echarts", script(text("shared.js")) + script(text("echarts.js"))],
  ["controls", script(text("controls.js"))],
]) {
  const { code } = await minify(source, {
    compress: { passes: 3, ecma: 2020 },
    mangle: true,
    ecma: 2020,
    format: { comments: "some" },
  });
  await writeFile(`echarts/${name}.min.js`, code);
}
