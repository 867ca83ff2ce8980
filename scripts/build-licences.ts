import type { BunPlugin } from "bun";
import { collectLicences } from "../tools/licences/collect-licences.ts";
import { packLicences } from "../tools/licences/pack-licences.ts";
import { importPath, keepMade } from "./build-import.ts";

/**
 * Puts the licence texts of all that is inside the executable there too.
 * @throws Error naming the packages of which no text was found.
 */
export async function licencesInside(root: string): Promise<BunPlugin> {
  const made = await keepMade(root, "licences.json.gz", packLicences(collectLicences(root)));
  return {
    name: "licences-inside",
    setup(build) {
      build.onLoad({ filter: /licences[\\/]licences-inside\.ts$/ }, ({ path }) => ({
        contents: `import path from ${importPath(path, made)} with { type: "file" };\nexport const licencesPath = path;\n`,
        loader: "ts",
      }));
    },
  };
}
