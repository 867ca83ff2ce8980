import { expect, test } from "bun:test";
import { join } from "node:path";
import { embeddedFileBytes, embeddedModels } from "#models/embedded-models.ts";
import { isCarried, readCarriedFile, readCarriedText } from "#platform/files/carried-file.ts";

test("from the sources a carried file is read as it lies there", async () => {
  expect(await readCarriedText(import.meta.path)).toStartWith('import { expect, test } from "bun:test";');
  expect((await readCarriedFile(import.meta.path)).byteLength).toBe(Bun.file(import.meta.path).size);
  await expect(readCarriedFile(join(import.meta.dir, "none"))).rejects.toThrow("ENOENT");
});

test("a file on the disk is not taken for a carried one, whatever its name", () => {
  expect(isCarried("/srv/$bunfs/model.onnx.zst")).toBe(false);
  expect(isCarried("/$bunfs/program/model.onnx-1.zst")).toBe(true);
});

test("the sizes of the carried models are those of their files", () => {
  for (const { files } of Object.values(embeddedModels))
    for (const path of Object.values(files)) expect(embeddedFileBytes(path)).toBe(Bun.file(path).size);
  expect(embeddedFileBytes("/etc/hosts")).toBeNull();
});
