import { expect, test } from "bun:test";
import { UsageError } from "#platform/errors.ts";
import { readDemoOptions } from "#tools/demo/demo-options.ts";

test("five hours of the trace in five minutes with four agents are the default", () => {
  expect(readDemoOptions({}, [])).toEqual({
    day: undefined,
    fromHour: 11,
    hours: 5,
    speed: 60,
    agents: 4,
    once: false,
    json: false,
    keepState: false,
  });
});

test.each([
  { values: { minutes: "10" }, expected: { speed: 144 } },
  { values: { speed: "30", hours: "0.5", from: "9" }, expected: { speed: 30, hours: 0.5, fromHour: 9 } },
  {
    values: { agents: "1", once: true, json: true, "keep-state": true },
    expected: { agents: 1, once: true, json: true, keepState: true },
  },
])("$values", ({ values, expected }) => {
  expect(readDemoOptions(values, [])).toMatchObject(expected);
});

test.each([
  { name: "two words for the speed", values: { speed: "60", minutes: "5" }, positionals: [], message: "not both" },
  { name: "no number", values: { speed: "fast" }, positionals: [], message: "--speed" },
  { name: "empty", values: { hours: "" }, positionals: [], message: "--hours" },
  { name: "standing still", values: { speed: "0" }, positionals: [], message: "--speed" },
  { name: "no agents", values: { agents: "0" }, positionals: [], message: "--agents" },
  { name: "half an agent", values: { agents: "1.5" }, positionals: [], message: "--agents" },
  { name: "hour 24", values: { from: "24" }, positionals: [], message: "--from" },
  { name: "an argument", values: {}, positionals: ["now"], message: "now" },
])("refuses $name", ({ values, positionals, message }) => {
  expect(() => readDemoOptions(values, positionals)).toThrow(UsageError);
  expect(() => readDemoOptions(values, positionals)).toThrow(message);
});
