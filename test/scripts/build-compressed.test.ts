import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressedInside } from "../../scripts/build-compressed.ts";

test("a build finds what it has compressed itself, in a directory that it has read before", async () => {
  const root = mkdtempSync(join(tmpdir(), "thormesh-compressed-"));
  const directory = join(root, ".cache", "zstd");
  try {
    const text = JSON.stringify({ words: Array.from({ length: 500 }, (_, index) => `word ${index}`) });
    await Bun.write(join(directory, "tokenizer.json"), text);
    await Bun.write(
      join(directory, "main.ts"),
      'import path from "./tokenizer.json" with { type: "file" };\nexport default path;\n',
    );
    const { outputs } = await Bun.build({
      entrypoints: [join(directory, "main.ts")],
      plugins: [compressedInside(1, directory)],
    });
    const carried = outputs.find(({ path }) => path.endsWith(".zst"));
    const bytes = new Uint8Array(await (carried as Blob).arrayBuffer());
    expect(bytes.length).toBeLessThan(text.length / 2);
    expect(new TextDecoder().decode(await Bun.zstdDecompress(bytes))).toBe(text);
  } finally {
    rmSync(root, { recursive: true });
  }
});
