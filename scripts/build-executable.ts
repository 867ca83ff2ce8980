import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { packStackMaps } from "../platform/terminal/stack-map.ts";
import { parseReleaseKeys } from "../protocol/release/release-keys.ts";
import { compressedInside, compressFile } from "./build-compressed.ts";
import { loadedLate } from "./build-late.ts";
import { licencesInside } from "./build-licences.ts";
import { onnxruntimeInside } from "./build-onnxruntime.ts";
import { pagesInside } from "./build-pages.ts";
import { stackMaps } from "./build-stack-map.ts";

const root = join(import.meta.dir, "..");
const cache = join(root, ".cache", "zstd");

export const architectures = ["x64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

export interface BuildOptions {
  /** Level of zstd for the large files inside. */
  readonly level: number;
  /** Public keys whose releases the program takes, as minisign writes them: the current one and possibly the next. */
  readonly releaseKeys: string;
  /** Time of the sources, seconds since 1970; 0: not known. */
  readonly sourceTimeS: number;
}

/** Options that decide what is in the executable. */
const contents = {
  entrypoints: [join(root, "main.ts")],
  // TensorFlow.js names the files whose loading matters in its package.json, and yet the bundler leaves one of them out: without it nothing
  // can be trained. So packages' own hints of what may be left out are ignored.
  ignoreDCEAnnotations: true,
  // An optional package with a native library of its own: found at run time or not at all.
  external: ["@tensorflow/tfjs-node"],
};

/** Lists all files that go into an executable, by their paths below the project's root. */
export async function listBundled(): Promise<string[]> {
  const plugins = [await onnxruntimeInside("x64", async (path) => path)];
  const { metafile } = await Bun.build({ ...contents, target: "bun", metafile: true, plugins });
  return Object.keys(metafile?.inputs ?? {});
}

async function bundle(architecture: Architecture, options: Bun.BuildConfig): Promise<Bun.BuildOutput> {
  const result = await Bun.build(options);
  for (const message of result.logs) console.error(String(message));
  if (!result.success) throw new Error(`compiling for ${architecture} failed`);
  return result;
}

/** Code of the first chunk, which names the others by their content. */
async function codeOf({ outputs }: Bun.BuildOutput): Promise<string | undefined> {
  return (await outputs[0]?.text())?.replace(/\n\/\/# debugId=.*\n$/, "").trim();
}

/** Compiles the program for one machine. */
export async function buildExecutable(
  architecture: Architecture,
  outfile: string,
  { level, releaseKeys, sourceTimeS }: BuildOptions,
): Promise<void> {
  parseReleaseKeys(releaseKeys);
  // Renamed over the old one, which may be running. Its name is inside it.
  const directory = await mkdtemp(join(dirname(outfile), ".building-"));
  const temporary = join(directory, basename(outfile));
  try {
    const options = {
      ...contents,
      // Names of classes are lost by it, so nothing may depend on them; stack traces name files and lines.
      minify: { whitespace: true, syntax: true, identifiers: true },
      // An agent is three processes of this program. Compiled ahead, and with a chunk for each command, an agent is ready in two thirds of the
      // time and 30 MB smaller than one that parses everything; the file is 9 MB larger.
      format: "esm",
      bytecode: true,
      splitting: true,
      define: {
        THORMESH_RELEASE_KEYS: JSON.stringify(releaseKeys),
        THORMESH_BUILT_AT_S: JSON.stringify(String(sourceTimeS)),
        // Packages that ask for their directory would get the one they were built in.
        __dirname: JSON.stringify("/$bunfs"),
        __filename: JSON.stringify("/$bunfs/package.js"),
      },
      plugins: [
        await onnxruntimeInside(architecture, (path) => compressFile(path, level, cache, architecture)),
        await loadedLate(root, level, cache),
        compressedInside(level, cache),
        await licencesInside(root),
        await pagesInside(root, (path) => compressFile(path, level, cache)),
      ],
      compile: {
        target: `bun-linux-${architecture}`,
        outfile: temporary,
        // A service must not change with the directory it is started in.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    } satisfies Bun.BuildConfig;
    // Built twice: the first says where the code of each chunk comes from, and is too large, as Bun puts all of that inside.
    const mapped = await bundle(architecture, { ...options, sourcemap: "external" });
    const maps = await stackMaps(mapped.outputs, root);
    const plain = await bundle(architecture, { ...options, sourcemap: "none" });
    if ((await codeOf(mapped)) !== (await codeOf(plain))) throw new Error("the chunks of both builds differ");
    await appendFile(temporary, packStackMaps(maps));
    await Bun.$`mv -f ${temporary} ${outfile}`.quiet();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
