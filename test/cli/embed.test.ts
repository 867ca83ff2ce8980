import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfCommand } from "#platform/process/self-command.ts";
import { writeModelDirectory } from "../agent/serving/models/write-model-directory.ts";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";
import { lookUpModel } from "../fakes/onnx/tiny-models.ts";

async function embed(args: readonly string[], input = "") {
  const child = Bun.spawn([...selfCommand(), "embed", ...args], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code };
}

const reference = (await readReferenceTexts()).filter(({ text }) => text.startsWith("The gripper at station"));

test("prints one vector a line, those of the reference", async () => {
  expect(reference.length).toBe(2);
  const { stdout, code } = await embed(reference.map(({ text }) => text));
  expect(code).toBe(0);
  const vectors = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as number[]);
  expect(vectors.length).toBe(2);
  for (const [index, { vector }] of reference.entries()) expect(cosine(vector, vectors[index]!)).toBeGreaterThan(0.98);
});

test("reads lines from standard input and prints JSON", async () => {
  const { stdout, code } = await embed(["-", "--json"], reference.map(({ text }) => `${text}\r\n`).join("\n"));
  expect(code).toBe(0);
  const answer = JSON.parse(stdout);
  expect({ ...answer, embeddings: answer.embeddings.length }).toEqual({
    model: "all-MiniLM-L6-v2",
    dimension: 384,
    truncated: 0,
    embeddings: 2,
  });
  expect(cosine(reference[1]!.vector, answer.embeddings[1])).toBeGreaterThan(0.98);
});

test("takes a model's directory, one of its files and one of its prompts", async () => {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
  try {
    await writeModelDirectory(directory, {
      "onnx/model_fp16.onnx": lookUpModel({ type: "float16" }),
      "1_Pooling/config.json": { word_embedding_dimension: 4, pooling_mode_cls_token: true },
      "modules.json": [{ idx: 0, path: "", type: "sentence_transformers.models.Transformer" }],
      "config_sentence_transformers.json": { prompts: { query: "query: " } },
    });
    const { stdout, code } = await embed(["b", "--model", directory, "--precision", "fp16", "--prompt", "query"]);
    expect({ code, vector: JSON.parse(stdout) }).toEqual({ code: 0, vector: [101, 101.125, 101.25, 101.375] });
    const wrong = await embed(["b", "--model", directory, "--precision", "int8"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("expected an ONNX file of precision int8")]);
    const unprompted = await embed(["b", "--model", directory, "--prompt", "passage"]);
    expect([unprompted.code, unprompted.stderr]).toEqual([2, expect.stringContaining('expected one of "query"')]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  { name: "no text", args: [], message: "expected at least one text" },
  { name: "nothing on standard input", args: ["-"], message: "expected at least one text" },
  { name: "an unknown precision", args: ["a", "--precision", "fp8"], message: "--precision" },
  { name: "an unknown model", args: ["a", "--model", "nope"], message: 'model "nope" was not found' },
])("$name is bad usage", async ({ args, message }) => {
  const { stderr, stdout, code } = await embed(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
});
