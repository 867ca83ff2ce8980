import { existsSync, readFileSync, statSync } from "node:fs";
import Module, { createRequire, isBuiltin } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { checkTrustedPath, checkTrustedTree } from "#platform/files/check-trusted-path.ts";

/** TensorFlow's headers are thousands of files. */
const maxPackageEntries = 50_000;

const isFile = (path: string) => existsSync(path) && statSync(path).isFile();

/** Returns the file that a path without an extension, or a package's folder, stands for; null where there is none. */
function fileAt(path: string): string | null {
  const found = [path, `${path}.js`, `${path}.json`, `${path}.node`].find(isFile);
  if (found !== undefined) return found;
  const manifest = join(path, "package.json");
  if (isFile(manifest)) {
    const { main } = JSON.parse(readFileSync(manifest, "utf8")) as { main?: unknown };
    if (typeof main === "string" && join(path, main) !== path) return fileAt(join(path, main));
  }
  const index = join(path, "index.js");
  return isFile(index) ? index : null;
}

/**
 * Returns the path at which CommonJS finds a module: relative to the requiring one, or in the nearest `node_modules` above it, but not above
 * `top`, where other users' folders may lie.
 */
export function resolveOnDisk(name: string, fromDirectory: string, top: string): string | null {
  if (name.startsWith(".") || isAbsolute(name)) return fileAt(isAbsolute(name) ? name : join(fromDirectory, name));
  const isWithin = (directory: string) => !relative(resolve(top), resolve(directory)).split("/").includes("..");
  for (let directory = fromDirectory; isWithin(directory); directory = dirname(directory)) {
    const found = fileAt(join(directory, "node_modules", name));
    if (found !== null) return found;
    if (dirname(directory) === directory) break;
  }
  return null;
}

type ResolveFilename = (name: string, parent: { filename?: string } | undefined, ...rest: unknown[]) => string;

/**
 * Loads a package from the `node_modules` of this directory. In a compiled executable Bun looks up no packages on disk, not even for a module
 * that lies there, so they are looked up here, for the package and all that it requires while it loads.
 * @throws Error when there is none, when other users could have written it or what it requires, or when it does not load.
 */
export function requireFromDisk(name: string, directory: string): unknown {
  const resolver = Module as unknown as { _resolveFilename: ResolveFilename };
  const own = resolver._resolveFilename;
  resolver._resolveFilename = function (this: unknown, wanted, parent, ...rest) {
    const from = parent?.filename === undefined ? directory : dirname(parent.filename);
    const found = isBuiltin(wanted) ? null : resolveOnDisk(wanted, from, directory);
    if (found !== null) checkTrustedPath(found, wanted);
    return found ?? own.call(this, wanted, parent, ...rest);
  };
  try {
    // Before anything is read; includes native libraries, which the system's loader reads.
    checkTrustedTree(join(directory, "node_modules", name), name, maxPackageEntries);
    const path = resolveOnDisk(name, directory, directory);
    if (path === null) throw new Error(`Cannot find module '${name}'`);
    return createRequire(join(directory, "from-here.js"))(path);
  } finally {
    resolver._resolveFilename = own;
  }
}
