import { mkdir, rename } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/**
 * Returns a path by which a module imports a file. Relative, as whole paths would be part of the names of chunks: the same sources make the
 * same executable in every directory.
 */
export function importPath(module: string, path: string): string {
  const from = relative(dirname(module), path);
  return JSON.stringify(from.startsWith(".") ? from : `./${from}`);
}

/**
 * Keeps a file that is made for the executable under a name that its content decides.
 * @returns its path below the directory of caches
 */
export async function keepMade(root: string, name: string, content: Uint8Array | string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256").update(content).digest("hex").slice(0, 32);
  const directory = join(root, ".cache", "made", hash);
  const path = join(directory, name);
  if (await Bun.file(path).exists()) return path;
  await mkdir(directory, { recursive: true });
  const temporary = `${path}.${process.pid}`;
  await Bun.write(temporary, content);
  await rename(temporary, path);
  return path;
}
