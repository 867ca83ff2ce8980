import { basename, dirname, join } from "node:path";

/** Returns the modules that a source imports at run time, as paths from the root. */
async function importsOf(root: string, path: string): Promise<string[]> {
  const source = await Bun.file(join(root, path)).text();
  return new Bun.Transpiler({ loader: "ts" }).scanImports(source).flatMap(({ path: specifier }) => {
    if (specifier.startsWith("#")) return [specifier.slice(1)];
    return specifier.startsWith(".") ? [join(dirname(path), specifier)] : [];
  });
}

/** Returns a function that lists the test files that import a source, nearest first; of the same distance, the one named after it. End-to-end tests are left out. */
export async function testsByDistance(
  root: string,
  paths: readonly string[],
): Promise<(file: string) => { readonly test: string; readonly distance: number }[]> {
  const importers = new Map<string, string[]>();
  for (const path of paths.filter((path) => path.endsWith(".ts") && !path.startsWith("test/e2e/"))) {
    for (const target of await importsOf(root, path)) importers.set(target, [...(importers.get(target) ?? []), path]);
  }
  return (file) => {
    const distances = new Map([[file, 0]]);
    // The map grows while it is walked: breadth first.
    for (const [path, distance] of distances) {
      for (const importer of importers.get(path) ?? []) {
        if (!distances.has(importer)) distances.set(importer, distance + 1);
      }
    }
    const mirrored = `test/${dirname(file)}`;
    const name = basename(file, ".ts");
    const rank = (test: string, distance: number) => {
      if (dirname(test) !== mirrored) return distance;
      if (basename(test) === `${name}.test.ts`) return 0;
      return (
        distance - (/^[-.]/.test(basename(test).slice(name.length)) && basename(test).startsWith(name) ? 0.75 : 0.5)
      );
    };
    return [...distances]
      .filter(([path]) => path.endsWith(".test.ts"))
      .map(([test, distance]) => ({ test, distance: rank(test, distance) }))
      .sort((one, other) => one.distance - other.distance);
  };
}
