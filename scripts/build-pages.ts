import { join } from "node:path";
import type { BunPlugin } from "bun";
import { bundlePage } from "../platform/http/page/page-bundle.ts";
import { importPath, keepMade } from "./build-import.ts";

/** Pages, each by the module that is replaced by one with its path. */
const pages = [
  { module: "controller/dashboard/page-inside.ts", html: "controller/dashboard/page/index.html" },
  { module: "agent/page-inside.ts", html: "agent/page/index.html" },
] as const;

/**
 * Puts the web pages inside the executable. They are bundled apart from the program, with options that suit browsers.
 * @param compress keeps a file compressed by zstd, and returns where
 * @throws AggregateError naming what can't be bundled
 */
export async function pagesInside(root: string, compress: (path: string) => Promise<string>): Promise<BunPlugin> {
  const contents = new Map<string, string>();
  for (const [index, { module, html }] of pages.entries()) {
    const made = await keepMade(root, `page-${index}.page`, JSON.stringify(await bundlePage(join(root, html))));
    const path = importPath(join(root, module), await compress(made));
    contents.set(
      join(root, module),
      `import path from ${path} with { type: "file" };\nexport const pageInside = path;\n`,
    );
  }
  return {
    name: "pages-inside",
    setup(build) {
      build.onLoad({ filter: /page-inside\.ts$/ }, ({ path }) => {
        const source = contents.get(path);
        if (source === undefined) throw new Error(`${path} is not listed in scripts/build-pages.ts`);
        return { contents: source, loader: "ts" };
      });
    },
  };
}
