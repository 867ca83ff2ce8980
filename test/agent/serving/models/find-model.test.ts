import { afterAll, describe, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { UsageError } from "#platform/errors.ts";

const embedded = await findModel("all-MiniLM-L6-v2", null);
const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
afterAll(() => rm(directory, { recursive: true }));

describe("the model that the program carries", () => {
  test("has the files that its manifest names", async () => {
    const { files } = embedded.manifest;
    const model = await readVerifiedFile(embedded.modelPath, files["model.onnx"]!.sha256!);
    const tokenizer = await readVerifiedFile(embedded.tokenizerPath, files["tokenizer.json"]!.sha256!);
    expect([model.byteLength, tokenizer.byteLength]).toEqual([
      files["model.onnx"]!.bytes,
      files["tokenizer.json"]!.bytes,
    ]);
  });

  test("is found when no directory has it", async () => {
    expect(embedded.origin).toBe("embedded");
    expect((await findModel("all-MiniLM-L6-v2", directory)).origin).toBe("embedded");
  });
});

test("a configured directory comes before what the program carries", async () => {
  const own = join(directory, "own");
  const place = join(own, "all-MiniLM-L6-v2");
  await mkdir(place, { recursive: true });
  await cp(join(dirname(embedded.modelPath), "manifest.json"), join(place, "manifest.json"));
  await expect(findModel("all-MiniLM-L6-v2", own)).rejects.toThrow("expected the file model.onnx, which is not there");
  await Bun.write(join(place, "model.onnx"), "of no matter here");
  await Bun.write(join(place, "tokenizer.json"), "{}");
  const found = await findModel("all-MiniLM-L6-v2", own);
  expect(found).toMatchObject({ origin: place, modelPath: join(place, "model.onnx") });
});

test.each([
  { name: "no JSON", text: "{", message: "can't be read" },
  { name: "unknown and missing keys", text: '{"id":"m","dims":3}', message: "dims: unknown field" },
])("a manifest with $name is a usage error that names it", async ({ name, text, message }) => {
  const place = join(directory, name, "m");
  await mkdir(place, { recursive: true });
  await Bun.write(join(place, "manifest.json"), text);
  const attempt = findModel("m", join(directory, name));
  await expect(attempt).rejects.toBeInstanceOf(UsageError);
  await expect(attempt).rejects.toThrow(message);
  await expect(attempt).rejects.toThrow(join(place, "manifest.json"));
});

test("a model that is nowhere is a usage error that says where it was looked for", async () => {
  await expect(findModel("nope", directory)).rejects.toThrow(directory);
});

test("a file that was changed is refused", async () => {
  const path = join(directory, "file");
  await Bun.write(path, "other");
  await expect(readVerifiedFile(path, "0".repeat(64))).rejects.toThrow(`${path} is not the file of the manifest`);
});
