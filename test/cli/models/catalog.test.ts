import { describe, expect, test } from "bun:test";
import { findInCatalog, readCatalog } from "#cli/models/catalog.ts";
import { decidePullFiles } from "#cli/models/decide-pull-files.ts";
import { readHubAccess } from "#cli/models/hub-access.ts";
import { isModelId, parseModelName } from "#cli/models/parse-model-name.ts";
import { embeddedModels } from "#models/embedded-models.ts";

const catalog = readCatalog();

describe("the catalogue", () => {
  test("names no model twice", () => {
    const names = catalog.flatMap(({ id, aliases, source }) =>
      [...new Set([id, source.repo, ...aliases])].map((name) => name.toLowerCase()),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(catalog.length).toBeGreaterThan(10);
  });

  test.each(catalog.map((model) => [model.id, model] as const))("%s is one that pull can get", (_, model) => {
    const paths = model.files.map(({ path }) => path);
    const choice = { precision: "auto" as const, architecture: "arm64", gpu: false };
    expect(decidePullFiles(paths, choice)).toMatchObject({ kind: "pull" });
    expect(isModelId(model.id)).toBe(true);
    // One that says its size but not its hash, or the other way round, was written by hand.
    for (const { sha256, bytes } of model.files) expect(sha256 === null).toBe(bytes === null);
    if (model.defaultPrompt !== null) expect(Object.keys(model.prompts)).toContain(model.defaultPrompt);
  });

  test("knows what the program carries, with the same dimension", () => {
    for (const [id, { manifest }] of Object.entries(embeddedModels)) {
      expect(findInCatalog(catalog, id)?.dimension).toBe((manifest as { dimension: number }).dimension);
    }
  });
});

test.each([
  { text: "bge-small-en-v1.5", expected: ["bge-small-en-v1.5", "BAAI/bge-small-en-v1.5", "main"] },
  { text: "baai/BGE-small-en-v1.5@v2", expected: ["bge-small-en-v1.5", "BAAI/bge-small-en-v1.5", "v2"] },
  { text: "org/name", expected: ["org/name", "org/name", "main"] },
  { text: "org/na.me_1-2@refs/pr/3", expected: ["org/na.me_1-2", "org/na.me_1-2", "refs/pr/3"] },
])("$text", ({ text, expected }) => {
  const { id, repo, revision } = parseModelName(text, catalog);
  expect([id, repo, revision]).toEqual([...expected]);
});

describe("which files", () => {
  const choice = { precision: "auto" as const, architecture: "arm64", gpu: false };
  const base = ["config.json", "tokenizer.json", "README.md", "model.safetensors"];
  test.each([
    {
      name: "one ONNX file of many",
      onnx: ["onnx/model.onnx", "onnx/model_O4.onnx", "onnx/model_quantized.onnx"],
      taken: ["onnx/model.onnx"],
    },
    {
      name: "with the weights beside it",
      onnx: ["onnx/model.onnx", "onnx/model.onnx_data"],
      taken: ["onnx/model.onnx", "onnx/model.onnx_data"],
    },
    {
      name: "with single tensors beside it",
      onnx: [
        "onnx/model.onnx",
        "onnx/Constant_7_attr__value",
        "onnx/_layers.0_Constant_attr__value",
        "onnx/config.json",
      ],
      taken: ["onnx/model.onnx", "onnx/Constant_7_attr__value", "onnx/_layers.0_Constant_attr__value"],
    },
    { name: "at the top", onnx: ["model.onnx"], taken: ["model.onnx"] },
    {
      name: "none made for another processor",
      onnx: ["onnx/model_qint8_avx512.onnx", "onnx/model_qint8_arm64.onnx"],
      taken: ["onnx/model_qint8_arm64.onnx"],
    },
    { name: "nothing behind a file's name", onnx: ["model.onnx", "model.onnx/../../x"], taken: ["model.onnx"] },
  ])("$name", ({ onnx, taken }) => {
    const decision = decidePullFiles([...base, ...onnx], choice);
    expect(decision).toMatchObject({ kind: "pull", paths: ["config.json", "tokenizer.json", ...taken] });
  });

  test.each([
    { name: "none at all", paths: [], reason: "got no ONNX file" },
    { name: "no ONNX file", paths: base, reason: "got no ONNX file" },
    { name: "no tokenizer", paths: ["model.onnx", "config.json"], reason: "expected tokenizer.json" },
    { name: "another processor's only", paths: [...base, "model_qint8_avx2.onnx"], reason: "for arm64" },
  ])("$name is refused", ({ paths, reason }) => {
    const decision = decidePullFiles(paths, choice);
    expect(decision.kind).toBe("refuse");
    expect(decision.reason).toContain(reason);
  });
});

describe("how the hub is reached", () => {
  const none = { url: null, token: null, timeoutS: 30 };
  test.each([
    { name: "by itself", option: undefined, config: none, env: {}, url: "https://huggingface.co", token: null },
    {
      name: "by Hugging Face's variables",
      option: undefined,
      config: none,
      env: { HF_ENDPOINT: "https://mirror/hf/", HF_TOKEN: "t" },
      url: "https://mirror/hf",
      token: "t",
    },
    {
      name: "by our own before them",
      option: undefined,
      config: none,
      env: {
        HF_ENDPOINT: "https://mirror",
        THORMESH_MODELS_URL: "http://own",
        THORMESH_MODELS_TOKEN: "o",
        HF_TOKEN: "t",
      },
      url: "http://own",
      token: "o",
    },
    {
      name: "by the configuration before the environment, by the option before all",
      option: "http://option//",
      config: { url: "http://config", token: "c", timeoutS: 1 },
      env: { HF_ENDPOINT: "https://mirror", HF_TOKEN: "t" },
      url: "http://option",
      token: "c",
    },
  ])("$name", ({ option, config, env, url, token }) => {
    const access = readHubAccess(option, config, env as Record<string, string>);
    expect([access.baseUrl, access.token]).toEqual([url, token]);
    expect(access.timeoutMs).toBe(config.timeoutS * 1000);
  });
});
