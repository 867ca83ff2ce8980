/** Compiles the program into one executable for each target. Usage: bun scripts/build.ts [--target x64|arm64|all] [--host] [--out DIR] [--level 1..19] */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseReleaseKeys } from "../protocol/release/release-keys.ts";
import { compressedInside, compressFile, usualLevel } from "./build-compressed.ts";
import { licencesInside } from "./build-licences.ts";
import { onnxruntimeInside } from "./build-onnxruntime.ts";
import { pagesInside } from "./build-pages.ts";

const root = join(import.meta.dir, "..");
const architectures = ["x64", "arm64"] as const;
/** Public keys whose releases the program takes, as minisign writes them: the current one and perhaps the next. */
const releaseKeys = process.env["THORMESH_RELEASE_KEYS"] ?? "";
parseReleaseKeys(releaseKeys);
const cache = join(root, ".cache", "zstd");
type Architecture = (typeof architectures)[number];

function targets(choice: string): readonly Architecture[] {
  if (choice === "all") return architectures;
  const found = architectures.filter((architecture) => architecture === choice);
  if (found.length === 0) throw new Error(`--target: expected x64, arm64 or all, got "${choice}"`);
  return found;
}

async function compile(architecture: Architecture, outDirectory: string, level: number): Promise<string> {
  const outfile = join(outDirectory, `thormesh-linux-${architecture}`);
  // Renamed over the old one, which may be running.
  const temporary = `${outfile}.${process.pid}`;
  const licences = await licencesInside(root);
  const pages = await pagesInside(root);
  try {
    const result = await Bun.build({
      entrypoints: [join(root, "main.ts")],
      minify: { whitespace: true, syntax: true, identifiers: false },
      // An agent is three processes of this program. Compiled ahead, and with a chunk for each command, an agent is ready in two thirds of the
      // time and 30 MB smaller than one that parses everything; the file is 9 MB larger.
      format: "esm",
      bytecode: true,
      splitting: true,
      sourcemap: "none",
      // TensorFlow.js names the files whose loading matters in its package.json, and yet the bundler leaves one of them out: without it nothing
      // can be trained. So packages' own hints of what may be left out are ignored.
      ignoreDCEAnnotations: true,
      // An optional package with a native library of its own: found at run time or not at all.
      external: ["@tensorflow/tfjs-node"],
      define: { THORMESH_RELEASE_KEYS: JSON.stringify(releaseKeys) },
      plugins: [
        await onnxruntimeInside(architecture, (path) => compressFile(path, level, cache)),
        compressedInside(level, cache),
        licences.plugin,
        pages.plugin,
      ],
      compile: {
        target: `bun-linux-${architecture}`,
        outfile: temporary,
        // A service must not change with the directory it is started in.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    });
    for (const message of result.logs) console.error(String(message));
    if (!result.success) throw new Error(`compiling for ${architecture} failed`);
    await Bun.$`mv -f ${temporary} ${outfile}`.quiet();
  } finally {
    await rm(temporary, { force: true });
    await licences.remove();
    await pages.remove();
  }
  return outfile;
}

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "all" },
    host: { type: "boolean", default: false },
    out: { type: "string", default: join(root, "dist") },
    level: { type: "string", default: String(usualLevel) },
  },
});
const level = Number(values.level);
if (!Number.isInteger(level) || level < 1 || level > 19)
  throw new Error(`--level: expected an integer from 1 to 19, got "${values.level}"`);
await mkdir(values.out, { recursive: true });
for (const architecture of targets(values.host ? process.arch : values.target)) {
  const startedMs = performance.now();
  const outfile = await compile(architecture, values.out, level);
  const megabytes = ((await stat(outfile)).size / 1e6).toFixed(0);
  console.error(`${outfile}: ${megabytes} MB in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}
