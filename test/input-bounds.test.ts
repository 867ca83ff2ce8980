import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KindGuard } from "@sinclair/typebox";
import { AgentConfig } from "#agent/config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { Controller } from "#controller/controller.ts";
import { systemClock } from "#platform/clock.ts";
import { createLogger } from "#platform/log.ts";
import * as joinMessages from "#protocol/identity/join-messages.ts";
import * as messages from "#protocol/messages.ts";
import { testEveryRoute } from "./agent/serving/every-route.ts";
import { type AnySchema, unboundedParts } from "./unbounded-parts.ts";

// All input from outside has an upper bound: these tests walk every schema, so that new fields are covered too.

test.each<[string, AnySchema]>([
  ["a number", { type: "number", minimum: 0 }],
  ["a text", { type: "string", pattern: "^[a-z]+$" }],
  ["a list", { type: "array", items: { type: "null" } }],
  ["named values", { type: "object", patternProperties: { "^.*$": { type: "null" } } }],
  ["a number in an alternative in a list", { anyOf: [{ type: "array", maxItems: 2, items: { type: "integer" } }] }],
  ["anything", {}],
])("the walk finds what has no bound: %s", (_name, schema) => {
  expect(unboundedParts({ type: "object", properties: { field: schema } })).toHaveLength(1);
});

const schemas = Object.entries({ ...messages, ...joinMessages }).filter(([, value]) => KindGuard.IsSchema(value));

test.each(schemas)("every field of message %s is bounded", (_name, schema) => {
  expect(unboundedParts(schema as AnySchema)).toEqual([]);
});

test.each([
  ["the agent's configuration", AgentConfig],
  ["the controller's configuration", ControllerConfig],
] as [string, AnySchema][])("every key of %s is bounded", (_name, schema) => {
  expect(unboundedParts(schema)).toEqual([]);
});

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly schema: AnySchema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: AnySchema }>> };
}

/** Inputs of an API's routes that have no bound. */
async function unboundedInputs(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/openapi/json`);
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
  expect(Object.keys(paths).length).toBeGreaterThan(5);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { parameters = [], requestBody }]) => [
      ...parameters.flatMap(({ name, schema }) => unboundedParts(schema, `${method} ${path}?${name}`)),
      ...Object.values(requestBody?.content ?? {}).flatMap(({ schema }) =>
        unboundedParts(schema, `${method} ${path} `),
      ),
    ]),
  );
}

describe("what HTTP routes take", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "thormesh-bounds-"));
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

  test("of the controller", async () => {
    const controller = new Controller(
      parseControllerConfig({ stateDir, logLevel: "silent", api: { port: 0 }, broker: { port: 0 } }, "the test"),
      {
        log: createLogger("test", "silent"),
        clock: systemClock,
        forecaster: {
          async start() {},
          async stop() {},
          forecast: () => Promise.reject(new Error("none")),
          describe: () => ({ model: "none", backend: "none", reason: "test" }),
        },
      },
    );
    await controller.start();
    try {
      expect(await unboundedInputs(controller.url)).toEqual([]);
    } finally {
      await controller.stop();
    }
  });

  test("of the agent", async () => {
    const { serving } = testEveryRoute();
    await serving.start();
    try {
      // Texts, lists and names in a body are bounded by its bytes (serving.maxBodyBytes), numbers are not.
      const inBodies = /^post [^?]*: (a text of any length|a list of any length|any number of names)$/;
      // A request's head is at most 16 KB; this part of it is checked by hand.
      const inHeads = /^get \/v1\/models\/\{id\}\?id: /;
      const found = await unboundedInputs(serving.url);
      expect(found.filter((line) => !inHeads.test(line) && !inBodies.test(line))).toEqual([]);
    } finally {
      await serving.stop();
    }
  });
});
