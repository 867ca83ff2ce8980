import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { createTextLimit } from "#agent/serving/residency/text-limit.ts";
import type { TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { findLongestText } from "#agent/serving/worker/find-longest-text.ts";
import { BatchFailedError, type ModelProcess, ModelProcessLostError } from "#agent/serving/worker/model-process.ts";
import { createLogger } from "#platform/log.ts";
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

describe("finding the limit when a model is loaded", () => {
  const limitOf = (origin = "directory") => {
    const limits: number[] = [];
    const tokenizer = { lastId: 9, limitTo: (tokens: number) => void limits.push(tokens) } as unknown as TextTokenizer;
    const found = { manifest: { id: "m", maxTokens: 514 }, origin } as unknown as FoundModel;
    return { limit: createTextLimit(found, Promise.resolve(tokenizer), createLogger("test", "silent")), limits };
  };
  const processOf = (provider: string, computed = 512) => {
    const lengths: number[] = [];
    const run = async ([text]: readonly Uint32Array[]) => {
      lengths.push(text?.length ?? 0);
      if ((text?.length ?? 0) > computed) throw new BatchFailedError("out of bounds");
      return { vectors: [Float32Array.of(1)], computeMs: 1 };
    };
    return { process: { run, engine: { provider } } as unknown as ModelProcess, lengths };
  };

  test("texts wait for it, are cut at it, and it is tried once", async () => {
    const { limit, limits } = limitOf();
    const pending = limit.pending();
    const { process, lengths } = processOf("cpu");
    await limit.find(process);
    await pending;
    expect([limits, limit.pending()]).toEqual([[512], null]);
    expect(limit.notes()).toEqual([
      "texts are cut at 512 tokens: the model can't compute more, although its files say 514",
    ]);
    const tried = lengths.length;
    await limit.find(process);
    expect(lengths.length).toBe(tried);
  });

  test.each([
    ["TensorRT builds an engine for each length", "directory", "tensorrt"],
    ["the program's own model is known", "embedded", "cpu"],
  ])("nothing is tried where %s", async (_why, origin, provider) => {
    const { limit, limits } = limitOf(origin);
    const { process, lengths } = processOf(provider);
    await limit.find(process);
    expect([limits, lengths, limit.pending(), limit.notes()]).toEqual([[], [], null, []]);
  });

  test("texts that wait for a model that can't be loaded are refused with the reason; it is found when a later attempt succeeds", async () => {
    const { limit, limits } = limitOf();
    const pending = limit.pending();
    limit.refuseWaiting("model m can't be loaded at the moment: no memory");
    await expect(pending as Promise<void>).rejects.toMatchObject({
      code: "MODEL_UNAVAILABLE",
      message: "model m can't be loaded at the moment: no memory",
    });
    expect(limit.pending()).toBeNull();
    await limit.find(processOf("cpu").process);
    expect(limits).toEqual([512]);
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
