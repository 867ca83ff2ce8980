/** Text file of a page that its HTML asks for. */
export interface PageAsset {
  /** Name with a hash of the content. */
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

/** Page as it is sent to browsers: one HTML file for all its paths, and what that asks for. */
export interface PageBundle {
  readonly html: string;
  readonly assets: readonly PageAsset[];
}

/** Path under which the assets of a page are served. */
export const assetPath = "/page/";

const types: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/**
 * Bundles a page for browsers.
 * @throws AggregateError naming what can't be bundled
 */
export async function bundlePage(htmlPath: string): Promise<PageBundle> {
  const { outputs } = await Bun.build({
    entrypoints: [htmlPath],
    target: "browser",
    minify: true,
    splitting: true,
    publicPath: assetPath,
    naming: { entry: "[name].[ext]", chunk: "[hash].[ext]", asset: "[name]-[hash].[ext]" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  let html = "";
  const assets: PageAsset[] = [];
  for (const output of outputs) {
    const name = output.path.replace(/^.*[\\/]/, "");
    const extension = name.replace(/^.*\./, "");
    if (extension === "html") {
      // Scripts of one's own origin need no leave of another one.
      html = (await output.text()).replaceAll(" crossorigin", "");
      continue;
    }
    const type = types[extension];
    if (type === undefined) throw new Error(`${htmlPath}: ${name} is neither a script nor a style nor an SVG image`);
    assets.push({ name, type, text: await output.text() });
  }
  return { html, assets };
}
