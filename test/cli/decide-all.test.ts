import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { decideCommand } from "#cli/decide.ts";
import { schemaOfInput } from "#platform/schema-of-input.ts";

const answer = (name: string, input: unknown) => decisions[name]?.answer(input, "x.json");

/** Every object of a schema, with its place. */
function* objectsOf(schema: unknown, place = ""): Generator<{ place: string; schema: Record<string, unknown> }> {
  if (typeof schema !== "object" || schema === null) return;
  if ("properties" in schema) yield { place, schema: schema as Record<string, unknown> };
  for (const [key, inner] of Object.entries(schema)) if (key !== "default") yield* objectsOf(inner, `${place}/${key}`);
}

test.each(Object.keys(decisions))("--schema of %s asks for nothing that has a default", (name) => {
  for (const { place, schema } of objectsOf(schemaOfInput(decisions[name]?.schema))) {
    const properties = schema["properties"] as Record<string, object>;
    const asked = ((schema["required"] ?? []) as string[]).filter((key) => "default" in (properties[key] ?? {}));
    expect({ place, asked }).toEqual({ place, asked: [] });
  }
});

test("--schema is printed as they see it who write the input", async () => {
  const printed: string[] = [];
  const { log } = console;
  console.log = (text: string) => printed.push(text);
  try {
    await decideCommand.run({ schema: true }, ["power-mode"]);
  } finally {
    console.log = log;
  }
  expect(JSON.parse(printed.join("\n"))["required"]).toEqual(["modes", "nowMs"]);
});

describe("decisions of serving, forecasting and the tools, from what is known at least", () => {
  const tensor = (name: string, type: string, ...shape: (string | number)[]) => ({ name, type, shape });
  test.each([
    ["admission", { request: { texts: 3 } }, { kind: "admit", rule: "fits", reason: "it fits into the queue" }],
    ["admission", { request: { texts: 5000 } }, { kind: "too-large", reason: "expected at most 4096 texts, got 5000" }],
    [
      "admission",
      { request: { texts: 1 }, queue: { held: { requests: 1024 }, own: { requests: 1024 }, drainMs: 2500 } },
      { kind: "wait", retryAfterS: 3 },
    ],
    [
      "batch",
      { waiting: [{ tokens: 8 }, { tokens: 8 }] },
      { take: [0, 1], paddedTokens: 8, reason: "all waiting texts" },
    ],
    ["lane", { lanes: [{ kind: "wide" }, { kind: "narrow" }] }, { lane: 0 }],
    ["lane", { lanes: [{ kind: "wide" }, { kind: "narrow" }], longLine: true }, { lane: 1 }],
    ["lane-plan", { settings: { threads: 2 }, processBytes: 1e8 }, { narrowLanes: 2, wideBatches: 1 }],
    ["model-room", { need: { bytes: 5 }, budgetBytes: 10 }, { kind: "load" }],
    [
      "model-room",
      { need: { bytes: 8 }, budgetBytes: 10, residents: [{ id: "a", bytes: 8 }] },
      { kind: "evict", ids: ["a"] },
    ],
    [
      "model-departures",
      { residents: [{ id: "a", bytes: 1 }], limits: { budgetBytes: 10, keepAliveMs: 5 }, nowMs: 9 },
      { departures: [{ id: "a", cause: "idle", reason: "unused for 0 s" }] },
    ],
    ["model-restart", { failuresInRow: 1 }, { delayMs: 0 }],
    ["batch-deadline", { tokens: 16_384, tokensPerMs: 10 }, { deadlineMs: 32_768 }],
    [
      "model-io",
      {
        inputs: [tensor("input_ids", "int64", "b", "s")],
        outputs: [tensor("last_hidden_state", "float32", "b", "s", 4)],
        dimension: 4,
      },
      { kind: "usable", per: "tokens" },
    ],
    ["onnx-file", { files: [{ path: "model.onnx" }, { path: "model_fp16.onnx" }] }, { path: "model.onnx" }],
    [
      "providers",
      { present: ["libonnxruntime_providers_cuda.so"] },
      [{ providers: ["cuda", "cpu"] }, { providers: ["cpu"] }],
    ],
    [
      "warm-up",
      { policy: { padTo: [8], maxTokens: 16 }, maxTokens: 8 },
      [
        { texts: 2, paddedTokens: 8 },
        { texts: 1, paddedTokens: 8 },
      ],
    ],
    ["pair-lengths", { first: 10, second: 90, room: 50 }, { first: 10, second: 40 }],
    ["champion", { scores: [], available: ["lstm"] }, { kind: "start", model: "moving-average" }],
    ["forecast-model", { recordedSpanMinutes: 60, recordedMinutes: 60, busyMinutes: 60 }, { model: "lstm" }],
    [
      "forecast-model",
      { recordedSpanMinutes: 60, recordedMinutes: 60, busyMinutes: 60, worker: "lost" },
      { model: "moving-average" },
    ],
    ["forecast-shares", { costs: [{ name: "a", loss: 1, yardstickLoss: 2 }] }, [{ name: "a", share: 1 }]],
    [
      "forecast-outcome",
      { made: { levelQps: 100, qps: [100, 200], peakQps: 200 }, actual: [100, 190] },
      { rise: "hit", absoluteError: 10 },
    ],
    ["forecast-restart", { failuresInRow: 2 }, { delayMs: 1000 }],
    ["training-step", { before: { learningRate: 1e-3 }, epoch: 1, validationLoss: 0.4 }, { kind: "improved" }],
    ["night-training", { minuteOfDay: 720, nowMs: 0, recordedMinutes: 0 }, { kind: "wait" }],
    [
      "night-training",
      {
        minuteOfDay: 90,
        nowMs: 0,
        recordedMinutes: 10_080,
        windows: {
          train: { found: 9, needed: 5 },
          validation: { found: 9, needed: 5 },
          test: { found: 29, needed: 30 },
        },
      },
      { kind: "wait" },
    ],
    [
      "promotion",
      { candidate: { wapePercent: 9, forecasts: 99 }, incumbent: { wapePercent: 10, forecasts: 99 } },
      { kind: "promote" },
    ],
    ["machine", { look: { desiredRole: "active", online: false }, nowMs: 0 }, { ask: "on", failed: false }],
    [
      "act-outcome",
      { told: { agentId: "a", want: { role: "active" }, version: 3, toldAtMs: 0 }, nowMs: 1000 },
      { kind: "open" },
    ],
    [
      "sole-controller",
      {
        own: { instanceId: "a", sinceMs: 5 },
        other: { instanceId: "b", status: "online", sinceMs: 3, answersUs: false },
        nowMs: 9,
      },
      { kind: "ask" },
    ],
    ["memory-trend", { samples: [] }, { kind: "unknown" }],
    [
      "pull-files",
      { paths: ["model.onnx", "tokenizer.json", "README.md"] },
      { paths: ["tokenizer.json", "model.onnx"] },
    ],
  ] as [string, object, object][])("%s %j", (name, input, expected) => {
    const given = answer(name, input) as object;
    if (Array.isArray(expected)) expect(given).toEqual(expected);
    else expect(given).toMatchObject(expected);
    expect(answer(name, [input, input])).toEqual([given, given]);
    // What is printed is JSON that says it all: no map or set gets lost on the way.
    expect(JSON.parse(JSON.stringify(given))).toMatchObject(expected);
  });

  test.each([
    ["admission", { request: { texts: -1 } }, /request\.texts/],
    ["batch", { waiting: [{ tokens: 0 }] }, /waiting\.0\.tokens/],
    ["lane", { lanes: [{ kind: "broad" }] }, /lanes\.0\.kind: one of "wide", "narrow"/],
    ["champion", { scores: [{ name: "a" }], available: [] }, /scores\.0\.forecasts/],
    [
      "night-training",
      { minuteOfDay: 1440, window: "late", nowMs: 0, recordedMinutes: 0 },
      /minuteOfDay[\s\S]*window|window[\s\S]*minuteOfDay/,
    ],
    ["machine", { look: {}, nowMs: 0 }, /look\.online/],
  ] as [string, object, RegExp][])("%s refuses %j", (name, input, message) => {
    expect(() => answer(name, input)).toThrow(message);
  });
});
