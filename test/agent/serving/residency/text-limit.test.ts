import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findLongestText } from "#agent/serving/worker/find-longest-text.ts";
import { BatchFailedError, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";
import { lookUpModel, positionedModel } from "../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../models/write-model-directory.ts";
import { type TestServing, testServing } from "../start-serving.ts";

describe("the longest text that a model computes", () => {
  const processOf = (
    computes: (tokens: number) => boolean,
    error: Error = new BatchFailedError("indices out of bounds"),
  ) => {
    const tried: number[] = [];
    const run = async ([text]: readonly Uint32Array[]) => {
      const tokens = text?.length ?? 0;
      tried.push(tokens);
      if (!computes(tokens)) throw error;
      return { vectors: [Float32Array.of(1)], computeMs: 1 };
    };
    return { process: { run }, tried };
  };
  test.each([
    { computed: 514, maxTokens: 514, longest: 514 },
    { computed: 512, maxTokens: 514, longest: 512 },
    { computed: 513, maxTokens: 514, longest: 513 },
    { computed: 1, maxTokens: 514, longest: 1 },
    { computed: 512, maxTokens: 1024, longest: 512 },
    { computed: 512, maxTokens: 1025, longest: 1025 }, // not tried
    { computed: 1, maxTokens: 3, longest: 1 },
  ])("of $maxTokens tokens by its files $longest", async ({ computed, maxTokens, longest }) => {
    const { process, tried } = processOf((tokens) => tokens <= computed);
    expect(await findLongestText(process, 9, maxTokens)).toBe(longest);
    expect(tried.length).toBeLessThan(12);
  });

  test("want of memory is no limit of the model, and a lost process is none of the text", async () => {
    const starved = processOf(() => false, new BatchFailedError("Failed to allocate memory for requested buffer"));
    expect(await findLongestText(starved.process, 9, 512)).toBe(512);
    const lost = processOf(() => false, new ModelProcessLostError("killed"));
    await expect(findLongestText(lost.process, 9, 512)).rejects.toThrow("killed");
  });
});

describe("served", () => {
  let directory: string;
  let server: TestServing;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
    const config = { ...bertConfig, model_type: "of-next-year", max_position_embeddings: 514, pad_token_id: 1 };
    await writeModelDirectory(join(directory, "shifted"), {
      "model.onnx": positionedModel(514, 2),
      "config.json": config,
    });
    await writeModelDirectory(join(directory, "plain"), { "model.onnx": lookUpModel() });
    server = testServing({ model: "plain", modelDirectory: directory });
    await server.serving.start();
  });
  afterAll(async () => {
    await server.serving.stop();
    await rm(directory, { recursive: true });
  });

  test("a text beyond the positions is cut and said to be, from the first request on, which loads the model", async () => {
    const long = { model: "shifted", inputs: ["b ".repeat(600)] };
    for (let i = 0; i < 2; i += 1) {
      const { status, body } = await server.post("/api/v1/embed", long);
      expect(status).toBe(200);
      expect(body["usage"]).toMatchObject({ total_tokens: 512, truncated_inputs: 1 });
    }
    const uncut = await server.post("/api/v1/embed", { ...long, truncate: false });
    expect(uncut).toMatchObject({
      status: 400,
      body: { error: "inputs.0: expected at most 512 tokens for shifted with truncate: false, got a longer text" },
    });
    const address = server.serving.url;
    const listed = JSON.stringify(await (await fetch(`${address}/models`)).json());
    expect(listed).toContain("texts are cut at 512 tokens");
  });
});
