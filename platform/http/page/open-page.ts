import { readCarriedText } from "#platform/files/carried-file.ts";
import { bundlePage, type PageBundle } from "./page-bundle.ts";

/** File of a page with all that an answer needs. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

export interface OpenPage {
  readonly html: PageFile;
  readonly assets: ReadonlyMap<string, PageFile>;
}

function prepareFile(type: string, text: string): PageFile {
  const etag = `"${Bun.hash.xxHash64(text).toString(16)}"`;
  return { type, text, gzipped: Bun.gzipSync(text, { level: 9 }), etag };
}

async function open(insidePath: string | null, htmlPath: string): Promise<OpenPage> {
  const bundle: PageBundle =
    insidePath === null ? await bundlePage(htmlPath) : JSON.parse(await readCarriedText(insidePath));
  return {
    html: prepareFile("text/html; charset=utf-8", bundle.html),
    assets: new Map(bundle.assets.map(({ name, type, text }) => [name, prepareFile(type, text)])),
  };
}

/**
 * Returns a function that opens a page once, when it is first asked for.
 * @param insidePath bundle inside the executable; null: run from source, where the page is bundled
 */
export function pageOpener(insidePath: string | null, htmlPath: string): () => Promise<OpenPage> {
  let opened: Promise<OpenPage> | null = null;
  return () => {
    opened ??= open(insidePath, htmlPath).catch((error) => {
      opened = null;
      throw error;
    });
    return opened;
  };
}
