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

describe("from what is known at least", () => {
  test.each([
    ["admission", { request: { texts: 3 } }, { kind: "admit", rule: "fits", reason: "it fits into the queue" }],
    ["admission", { request: { texts: 5000 } }, { kind: "too-large", reason: "expected at most 4096 texts, got 5000" }],
    [
      "admission",
      { request: { texts: 1 }, queue: { held: { requests: 1024 }, own: { requests: 1024 }, drainMs: 2500 } },
      { kind: "wait", retryAfterS: 3 },
    ],
    ["sleep", { standbySinceMs: 0, servingPeers: 1, nowMs: 900_000 }, { kind: "sleep" }],
    [
      "sleep",
      { standbySinceMs: 0, nowMs: 900_000 },
      { kind: "stay", reason: expect.stringContaining("no other agent") },
    ],
    [
      "route",
      {
        request: { timeLeftMs: 50, regions: null },
        candidates: [
          { id: "home", kind: "home", usdPerRequest: 1e-6, expectedMs: 80, capacity: 100 },
          { id: "thor-2", kind: "peer", usdPerRequest: 1e-6, expectedMs: 9, capacity: 100 },
        ],
      },
      { kind: "route", backend: "thor-2", rule: "only", passedOver: { home: "too-late" } },
    ],
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
  ] as [string, object, object][])("%s %j", (name, input, expected) => {
    const given = answer(name, input) as object;
    expect(structuredClone(given)).toMatchObject(expected);
    expect(answer(name, [input, input])).toEqual([given, given]);
    // JSON holds all of it: no map or set is lost when it is printed.
    expect(JSON.parse(JSON.stringify(given))).toEqual(given);
  });

  test.each([
    ["admission", { request: { texts: -1 } }, "request.texts: expected integer of at least 0, got -1"],
    [
      "night-training",
      { minuteOfDay: 1440, window: "late", nowMs: 0, recordedMinutes: 0 },
      "minuteOfDay: expected integer from 0 to 1439, got 1440\n  window: expected string that matches",
    ],
    ["sleep", { nowMs: "soon" }, 'nowMs: expected number, got "soon"'],
    ["promotion", { candidate: {} }, "candidate.forecasts: expected integer, got nothing"],
  ] as [string, object, string][])("%s refuses %j", (name, input, message) => {
    expect(() => answer(name, input)).toThrow(message);
  });
});

test.each(["admission", "sleep", "night-training", "promotion", "power-mode", "active-agents", "route"])(
  "what %s reads is described: unknown fields are refused",
  (name) => {
    expect(() => answer(name, { speed: 1 })).toThrow("speed: unknown field");
  },
);
