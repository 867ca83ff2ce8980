import { mkdtemp, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseReleaseKeys } from "../protocol/release/release-keys.ts";
import { compressedInside, compressFile } from "./build-compressed.ts";
import { licencesInside } from "./build-licences.ts";
import { onnxruntimeInside } from "./build-onnxruntime.ts";
import { pagesInside } from "./build-pages.ts";

const root = join(import.meta.dir, "..");
const cache = join(root, ".cache", "zstd");

export const architectures = ["x64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

export interface BuildOptions {
  /** Level of zstd for the large files inside. */
  readonly level: number;
  /** Public keys whose releases the program takes, as minisign writes them: the current one and perhaps the next. */
  readonly releaseKeys: string;
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

/** Compiles the program for one machine. */
export async function buildExecutable(
  architecture: Architecture,
  outfile: string,
  { level, releaseKeys }: BuildOptions,
): Promise<void> {
  parseReleaseKeys(releaseKeys);
  // Renamed over the old one, which may be running. Its name is inside it.
  const directory = await mkdtemp(join(dirname(outfile), ".building-"));
  const temporary = join(directory, basename(outfile));
  try {
    const result = await Bun.build({
      minify: { whitespace: true, syntax: true, identifiers: false },
      // An agent is three processes of this program. Compiled ahead, and with a chunk for each command, an agent is ready in two thirds of the
      // time and 30 MB smaller than one that parses everything; the file is 9 MB larger.
      format: "esm",
      bytecode: true,
      splitting: true,
      sourcemap: "none",
      ...contents,
      define: {
        THORMESH_RELEASE_KEYS: JSON.stringify(releaseKeys),
        // Packages that ask for their directory would get the one they were built in.
        __dirname: JSON.stringify("/$bunfs"),
        __filename: JSON.stringify("/$bunfs/package.js"),
      },
      plugins: [
        await onnxruntimeInside(architecture, (path) => compressFile(path, level, cache)),
        compressedInside(level, cache),
        await licencesInside(root),
        await pagesInside(root),
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
    await rm(directory, { recursive: true, force: true });
  }
}
