import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BunPlugin } from "bun";
import { collectLicences } from "../tools/licences/collect-licences.ts";
import { packLicences } from "../tools/licences/pack-licences.ts";

/**
 * Puts the licence texts of all that is inside the executable there too.
 * @throws Error naming the packages of which no text was found.
 */
export async function licencesInside(root: string): Promise<{ plugin: BunPlugin; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-licences-"));
  const path = join(directory, "licences.json.gz");
  await writeFile(path, packLicences(collectLicences(root)));
  const contents = `import path from ${JSON.stringify(path)} with { type: "file" };\nexport const licencesPath = path;\n`;
  return {
    plugin: {
      name: "licences-inside",
      setup(build) {
        build.onLoad({ filter: /licences[\\/]licences-inside\.ts$/ }, () => ({ contents, loader: "ts" }));
      },
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
