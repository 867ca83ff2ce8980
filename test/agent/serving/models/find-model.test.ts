import { afterAll, describe, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findModel, readInstalledManifest } from "#agent/serving/models/find-model.ts";
import { readVerifiedFile } from "#agent/serving/models/read-verified-file.ts";
import { UsageError } from "#platform/errors.ts";
import { lookUpModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "./write-model-directory.ts";

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
  await expect(findModel("all-MiniLM-L6-v2", own)).rejects.toThrow(
    "expected the file model.onnx, which does not exist",
  );
  await Bun.write(join(place, "model.onnx"), "of no matter here");
  await Bun.write(join(place, "tokenizer.json"), "{}");
  const found = await findModel("all-MiniLM-L6-v2", own);
  expect(found).toMatchObject({ origin: place, modelPath: join(place, "model.onnx") });
});

test("the carried model's files are not looked at again: nobody can change them", () => {
  expect(embedded.files).toEqual([]);
});

describe("a directory with a manifest", () => {
  const sha256 = "a".repeat(64);
  async function placeModel(id: string, paths: readonly string[], more: object): Promise<string> {
    const place = join(directory, "described", id);
    for (const path of ["tokenizer.json", ...paths]) await Bun.write(join(place, path), "{}");
    const manifest = { ...embedded.manifest, id, files: {}, onnx: [{ path: "model.onnx" }], ...more };
    await Bun.write(join(place, "manifest.json"), JSON.stringify(manifest));
    return place;
  }
  const find = (id: string) => findModel(id, join(directory, "described"));

  test("has the files on which its vectors depend, by name: texts and weights, not those of other precisions", async () => {
    const paths = [
      "model.onnx",
      "model.onnx_data",
      "model_int8.onnx",
      "model_int8.onnx_data",
      "vocab.txt",
      "README.md",
    ];
    const place = await placeModel("several", [...paths, "extra.bin"], {
      onnx: [{ path: "model_int8.onnx" }, { path: "model.onnx" }],
      files: {
        ...Object.fromEntries(paths.map((path) => [path, { bytes: 2 }])),
        "extra.bin": { bytes: 2, sha256 },
        "gone.bin": { bytes: 2, sha256 },
      },
    });
    expect((await find("several")).files).toEqual(
      ["extra.bin", "model.onnx", "model.onnx_data", "tokenizer.json", "vocab.txt"].map((name) => ({
        name,
        path: join(place, name),
        sha256: name === "extra.bin" ? sha256 : null,
      })),
    );
  });

  test("gives the most exact weights where nothing else is asked for", async () => {
    const place = await placeModel("exact", ["model.onnx", "model_fp16.onnx"], {
      onnx: [{ path: "model_fp16.onnx" }, { path: "model.onnx" }],
    });
    expect(await find("exact")).toMatchObject({ precision: "fp32", modelPath: join(place, "model.onnx") });
  });

  test("takes no file outside: neither weights, nor one that counts for the vectors", async () => {
    await Bun.write(join(directory, "described", "outside.onnx"), "{}");
    await placeModel("weights", ["model.onnx"], { onnx: [{ path: "../outside.onnx" }] });
    await expect(find("weights")).rejects.toThrow("expected the file ../outside.onnx, which does not exist");
    await placeModel("absolute", ["model.onnx"], { onnx: [{ path: join(directory, "described", "outside.onnx") }] });
    await expect(find("absolute")).rejects.toThrow("which does not exist");
    await placeModel("more", ["model.onnx"], {
      files: {
        "model.onnx": { bytes: 2 },
        "../outside.onnx": { bytes: 2, sha256 },
        "a/../../outside.onnx": { bytes: 2, sha256 },
      },
    });
    expect((await find("more")).files.map(({ name }) => name)).toEqual(["model.onnx", "tokenizer.json"]);
  });

  test("gives its manifest; one that can't be read gives none", async () => {
    const place = await placeModel("manifest", ["model.onnx"], {});
    expect(await readInstalledManifest(place)).toMatchObject({ id: "manifest", dimension: 384 });
    await Bun.write(join(place, "manifest.json"), "{}");
    expect(await readInstalledManifest(place)).toBeNull();
    expect(await readInstalledManifest(join(place, "gone"))).toBeNull();
  });
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

describe("prompts that a model's authors mention on its page only", () => {
  const place = join(directory, "prompts");
  const of = async (id: string, size: number, files: Record<string, object> = {}) => {
    const config = { ...bertConfig, hidden_size: size };
    await writeModelDirectory(join(place, id), { "model.onnx": lookUpModel(), "config.json": config, ...files });
    const { manifest, notes } = await findModel(id, place);
    return { prompts: manifest.prompts, byDefault: manifest.defaultPrompt, notes: notes.join("\n") };
  };

  test("are the catalogue's, for a directory of the model's name", async () => {
    for (const id of ["intfloat/e5-small-v2", "E5-small-v2"]) {
      const { prompts, byDefault, notes } = await of(id, 384);
      expect({ id, prompts, byDefault }).toEqual({
        id,
        prompts: { query: "query: ", passage: "passage: " },
        byDefault: null,
      });
      expect(notes).toContain("using those of e5-small-v2 in the catalogue (query, passage)");
    }
  });

  test.each([
    ["another name", "intfloat/e5-small-v9", 384, {}, {}],
    ["another length of vectors", "e5-small-v2", 768, {}, {}],
    ["a model without prompts", "all-MiniLM-L12-v2", 384, {}, {}],
    [
      "prompts of its own",
      "BAAI/bge-small-en-v1.5",
      384,
      { "config_sentence_transformers.json": { prompts: { query: "own: " } } },
      { query: "own: " },
    ],
    [
      "empty ones of its own",
      "multilingual-e5-small",
      384,
      { "config_sentence_transformers.json": { prompts: { query: "" } } },
      { query: "" },
    ],
  ])("are not taken for %s", async (_name, id, size, files, expected) => {
    const { prompts, notes } = await of(id, size, files);
    expect(prompts).toEqual(expected);
    expect(notes).not.toContain("catalogue");
  });
});

test("a model that is nowhere is a usage error that says where it was looked for", async () => {
  await expect(findModel("nope", directory)).rejects.toThrow(directory);
});

test("a file that was changed is refused", async () => {
  const path = join(directory, "file");
  await Bun.write(path, "other");
  await expect(readVerifiedFile(path, "0".repeat(64))).rejects.toThrow(`${path} does not match the manifest`);
});
