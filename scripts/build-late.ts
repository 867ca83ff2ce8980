import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BunPlugin } from "bun";
import { compressFile } from "./build-compressed.ts";
import { importPath, keepMade } from "./build-import.ts";

/** Packages that few runs of the program need, each by the file of it that is imported. */
const latePackages = [
  /** Formulas of a scaling policy's triggers. */
  "mathjs/lib/browser/math.js",
  /** Fleet plans, in the planner's process. */
  "highs/build/highs.js",
  /** Certificates that are written, by authorities and joining devices. */
  "@peculiar/x509/build/x509.es.js",
] as const;

async function bundle(path: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [path],
    target: "node",
    format: "cjs",
    minify: true,
    ignoreDCEAnnotations: true,
  });
  const [output] = outputs;
  if (output === undefined) throw new Error(`bundling ${path} gave nothing`);
  return await output.text();
}

/**
 * Puts packages that are rarely used inside the executable as compressed scripts, which are evaluated when they are first asked for: neither
 * compiled ahead nor as plain text.
 * @param cache directory for what was compressed before
 */
export async function loadedLate(root: string, level: number, cache: string): Promise<BunPlugin> {
  const contents = new Map<string, string>();
  const evaluator = join(root, "platform", "files", "carried-script.ts");
  for (const name of latePackages) {
    const path = join(root, "node_modules", name);
    const made = await keepMade(root, "late.js", await bundle(path));
    const compressed = await compressFile(made, level, cache);
    contents.set(
      path,
      `const path = require(${importPath(path, compressed)});
      const { evaluateCarriedScript } = require(${importPath(path, evaluator)});
      module.exports = evaluateCarriedScript(path, ${JSON.stringify(name)});\n`,
    );
  }
  return {
    name: "loaded-late",
    setup(build) {
      build.onLoad({ filter: /(mathjs|highs|x509)[\\/].*\.js$/ }, ({ path }) => ({
        contents: contents.get(path) ?? readFileSync(path, "utf8"),
        loader: "js",
      }));
    },
  };
}
