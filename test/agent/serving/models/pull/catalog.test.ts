import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findInCatalog, readCatalog } from "#agent/serving/models/pull/catalog.ts";
import { decidePullFiles, describingPaths } from "#agent/serving/models/pull/decide-pull-files.ts";
import { explainPullFiles } from "#agent/serving/models/pull/explain-pull-files.ts";
import { readHubAccess } from "#agent/serving/models/pull/hub-access.ts";
import { isModelId, parseModelName } from "#agent/serving/models/pull/parse-model-name.ts";
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

  test.each([
    ["Qwen/Qwen3-Embedding-0.6B", { dimension: 1024, pooling: "last-token", maxTokens: 32_768, licence: "Apache-2.0" }],
    ["Qwen/Qwen3-Embedding-4B", { dimension: 2560, pooling: "last-token", maxTokens: 32_768, licence: "Apache-2.0" }],
    ["intfloat/e5-small-v2", { dimension: 384, pooling: "mean", maxTokens: 512, licence: "MIT" }],
    ["Alibaba-NLP/gte-modernbert-base", { dimension: 768, pooling: "cls", maxTokens: 8192, licence: "Apache-2.0" }],
    ["thenlper/gte-large", { dimension: 1024, pooling: "mean", maxTokens: 512, licence: "MIT" }],
    ["nomic-ai/nomic-embed-text-v1.5", { dimension: 768, pooling: "mean", maxTokens: 8192, licence: "Apache-2.0" }],
    ["mixedbread-ai/mxbai-embed-large-v1", { dimension: 1024, pooling: "cls", maxTokens: 512, licence: "Apache-2.0" }],
    ["BAAI/bge-m3", { dimension: 1024, pooling: "cls", maxTokens: 8192, licence: "MIT" }],
  ])("%s is found by its authors' name, with what they state", (name, facts) => {
    expect(findInCatalog(catalog, name)).toMatchObject(facts);
  });

  test("an instruction is put before queries as its authors do, without a blank after the colon", () => {
    for (const name of ["Qwen3-Embedding-0.6B", "Qwen3-Embedding-4B"])
      expect(findInCatalog(catalog, name)?.prompts).toEqual({
        query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
        document: "",
      });
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
    {
      name: "of several modules, in the order of the list",
      onnx: [...describingPaths.filter((path) => !base.includes(path)), "3_Dense/config.json", "model.onnx"],
      taken: [...describingPaths.filter((path) => !base.includes(path)), "3_Dense/config.json", "model.onnx"],
    },
    { name: "at the top", onnx: ["model.onnx"], taken: ["model.onnx"] },
    {
      name: "with our own manifest, and without what only looks like a tensor",
      onnx: ["model.onnx", "LICENSE", "manifest.json"],
      taken: ["manifest.json", "model.onnx"],
    },
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
    { name: "none at all", paths: [], expected: { rule: "no-onnx-file" } },
    { name: "no ONNX file", paths: base, expected: { rule: "no-onnx-file" } },
    {
      name: "no tokenizer",
      paths: ["model.onnx", "config.json"],
      expected: { rule: "missing-files", missing: ["tokenizer.json"] },
    },
    {
      name: "another processor's only",
      paths: [...base, "model_qint8_avx2.onnx"],
      expected: { rule: "no-fitting-onnx-file", onnx: { rule: "no-such-file", choice } },
    },
  ])("$name is refused", ({ paths, expected }) => {
    expect(decidePullFiles(paths, choice)).toMatchObject({ kind: "refuse", ...expected });
  });

  test.each([
    {
      paths: [],
      text: "expected model.onnx or onnx/model*.onnx, got no ONNX file: look for an export of this model to ONNX",
    },
    { paths: ["model.onnx"], text: "expected tokenizer.json, which the repository does not have" },
    {
      paths: [...base, "model_qint8_avx2.onnx"],
      text: "expected an ONNX file of precision auto for arm64, got model_qint8_avx2.onnx (int8, x64)",
    },
  ])("$text", ({ paths, text }) => {
    const decision = decidePullFiles(paths, choice);
    expect(decision.kind === "refuse" && explainPullFiles(decision)).toBe(text);
  });
});

describe("how the hub is reached", () => {
  const none = { url: null, token: null, timeoutS: 30 };
  const directory = mkdtempSync(join(tmpdir(), "thormesh-token-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, "of-the-file\n", { mode: 0o600 });

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
      token: null,
      withheld: "models.token",
    },
    {
      name: "by the configuration, with its token",
      option: undefined,
      config: { url: "http://config", token: "c", timeoutS: 1 },
      env: { HF_ENDPOINT: "https://mirror", HF_TOKEN: "t" },
      url: "http://config",
      token: "c",
    },
    {
      name: "by an option that says the same as the configuration",
      option: "http://config/elsewhere",
      config: { url: "http://config", token: "c", timeoutS: 1 },
      env: {},
      url: "http://config/elsewhere",
      token: "c",
    },
    {
      name: "by the file of a token, for the address that is given with it",
      option: "http://option",
      tokenFile,
      config: { url: "http://config", token: "c", timeoutS: 1 },
      env: { HF_TOKEN: "t" },
      url: "http://option",
      token: "of-the-file",
    },
    {
      name: "without encryption: the token for https is for another server",
      option: "http://huggingface.co",
      config: none,
      env: { HF_TOKEN: "t" },
      url: "http://huggingface.co",
      token: null,
      withheld: "HF_TOKEN",
    },
    ...["THORMESH_MODELS_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].flatMap((name) =>
      ["http://127.0.0.1:1", "https://huggingface.co.example", "https://huggingface.co:8443"].map((option) => ({
        name: `${name} is not for ${option}`,
        option,
        config: none,
        env: { [name]: "t" },
        url: option,
        token: null,
        withheld: name,
      })),
    ),
    {
      name: "Hugging Face's token is not for a mirror of ours",
      option: undefined,
      config: { ...none, url: "http://config" },
      env: { HF_TOKEN: "t" },
      url: "http://config",
      token: null,
      withheld: "HF_TOKEN",
    },
  ])("$name", ({ option, config, env, url, token, ...more }) => {
    const chosen = readHubAccess(
      { url: option, tokenFile: "tokenFile" in more ? more.tokenFile : undefined },
      config,
      env as Record<string, string>,
    );
    expect([chosen.access.baseUrl, chosen.access.token]).toEqual([url, token]);
    expect(chosen.withheld).toBe("withheld" in more ? (more.withheld as string) : null);
    expect(chosen.access.timeoutMs).toBe(config.timeoutS * 1000);
  });

  test("an address is not quoted with its password", () => {
    const refused = () => readHubAccess({ url: "ftp://u:s3cr3t@h", tokenFile: undefined }, none, {});
    expect(refused).toThrow("ftp://h");
    expect(refused).not.toThrow("s3cr3t");
  });
});
