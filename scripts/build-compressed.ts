import { mkdir, rename } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { BunPlugin } from "bun";
import { addressBranches, type BranchArchitecture } from "#platform/files/branch-filter.ts";
import { importPath } from "./build-import.ts";

/** Level of zstd. */
export const usualLevel = 9;
/** Takes a minute for ONNX Runtime's library alone, and makes the executable 2 MB smaller: for releases. */
export const highestLevel = 19;

/** Files that are read rarely or once: compressed inside the executable. platform/files/carried-file.ts reads them. */
const compressed =
  /(highs[\\/]build[\\/]highs\.wasm|swagger-ui-dist[\\/]swagger-ui(-bundle\.js|\.css)|\.tiktoken|models[\\/].*\.(csv|onnx|bin)|tokenizer\.json)$/;

/**
 * Compresses a file and returns where the result lies. It is kept, by the content's hash.
 * @param cache directory for what was compressed before
 * @param branches processor whose machine code the file is: its calls are rewritten before; null: the file is as it is
 */
export async function compressFile(
  path: string,
  level: number,
  cache: string,
  branches: BranchArchitecture | null = null,
): Promise<string> {
  const bytes = await Bun.file(path).bytes();
  if (branches !== null) addressBranches(bytes, branches);
  const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 32);
  const result = join(cache, `${hash}-${level}.zst`);
  if (await Bun.file(result).exists()) return result;
  await mkdir(cache, { recursive: true });
  const temporary = `${result}.${process.pid}`;
  await Bun.write(temporary, await Bun.zstdCompress(bytes, { level }));
  await rename(temporary, result);
  return result;
}

/** Compresses the files that are imported with `type: "file"` and are large. */
export function compressedInside(level: number, cache: string): BunPlugin {
  return {
    name: "compressed-inside",
    setup(build) {
      // The bundler does not see files that came after it had read their directory, as in a fresh clone.
      build.onResolve({ filter: /\.zst$|\.cache\/made\// }, ({ path, importer }) => ({
        path: resolve(dirname(importer), path),
      }));
      build.onLoad({ filter: compressed }, async ({ path }) => {
        const result = await compressFile(path, level, cache);
        const contents = `import path from ${importPath(path, result)} with { type: "file" };\nexport default path;\n`;
        return { contents, loader: "js" };
      });
    },
  };
}
