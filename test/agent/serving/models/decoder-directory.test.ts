import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { writeDecoder } from "../../../fakes/onnx/write-decoder.ts";
import reference from "../../../fixtures/embeddings/decoder.json" with { type: "json" };
import { type TestServing, testServing } from "../start-serving.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
let server: TestServing;
beforeAll(async () => {
  await writeDecoder(join(directory, "decoder"));
  server = testServing({ model: "decoder", modelDirectory: directory, cacheBytes: 0 });
  await server.serving.start();
});
afterAll(async () => {
  await server.serving.stop();
  await rm(directory, { recursive: true });
});

const embed = async (inputs: readonly string[], more: object = {}): Promise<number[][]> => {
  const { status, body } = await server.post("/api/v1/embed", { inputs, ...more });
  expect([status, body["error"]]).toEqual([200, undefined]);
  return body["embeddings"];
};
const texts = reference.map(({ text }) => text);

/** Largest difference between numbers of two lists of vectors. */
const difference = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  Math.max(...a.flatMap((vector, i) => vector.map((value, k) => Math.abs(value - (b[i]?.[k] ?? Number.NaN)))));

describe("a decoder with an instruction, last-token pooling and padding on the left gives the reference's vectors", () => {
  test("its directory says so", async () => {
    const { manifest } = await findModel("decoder", directory);
    expect(manifest).toMatchObject({ pooling: "last-token", normalise: true, dimension: 16, maxTokens: 128 });
    expect(Object.keys(manifest.prompts)).toEqual(["query", "document"]);
  });

  test("texts in one batch", async () => {
    expect(
      difference(
        await embed(texts),
        reference.map(({ vector }) => vector),
      ),
    ).toBeLessThan(1e-5);
  });

  test("each text alone", async () => {
    for (const { text, vector } of reference) expect(difference(await embed([text]), [vector])).toBeLessThan(1e-5);
  });

  test("with the prompt for queries before them", async () => {
    const queries = await embed(texts, { prompt_name: "query" });
    expect(
      difference(
        queries,
        reference.map(({ query }) => query),
      ),
    ).toBeLessThan(1e-5);
    expect(
      difference(
        queries,
        reference.map(({ vector }) => vector),
      ),
    ).toBeGreaterThan(0.1);
  });

  test("the prompt for documents is empty", async () => {
    expect(
      difference(
        await embed(texts, { prompt_name: "document" }),
        reference.map(({ vector }) => vector),
      ),
    ).toBeLessThan(1e-5);
  });

  test("its first values, scaled again, are a shorter vector", async () => {
    const [short] = await embed(["python"], { dimensions: 4 });
    const first = reference[0]!.vector.slice(0, 4);
    const length = Math.hypot(...first);
    expect(difference([short!], [first.map((value) => value / length)])).toBeLessThan(1e-5);
  });

  test("texts don't change each other's vectors", async () => {
    const { models } = (await (await fetch(`${server.serving.url}/models`)).json()) as {
      models: { notes: string[] }[];
    };
    expect(models[0]?.notes.join("\n")).not.toContain("by itself");
  });
});
