import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { pricesCommand } from "#cli/cost/prices.ts";
import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";

const path = join(import.meta.dir, "../../fixtures/reference-prices.yaml");
let log: ReturnType<typeof spyOn<Console, "log">>;
beforeEach(() => {
  log = spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
  log.mockRestore();
});
const printed = () => log.mock.calls.flat().join("\n");

test("validate says what a catalogue holds; --json prints it whole", async () => {
  expect(await pricesCommand.run({}, ["validate", path])).toBe(0);
  expect(printed()).toBe(`${path} is a valid price catalogue in USD: 3 electricity, 1 devices, 7 instances, 3 charges`);
  log.mockClear();
  await pricesCommand.run({ json: true }, ["validate", path]);
  expect(Value.Check(PriceCatalogue, JSON.parse(printed()))).toBeTrue();
});

test("validate names every file that is none", async () => {
  const other = join(import.meta.dir, "../../fixtures/reference-fleet.yaml");
  await expect(pricesCommand.run({}, ["validate", other, path])).rejects.toThrow(
    /reference-fleet.yaml is not valid:[\s\S]*currency/,
  );
  await expect(pricesCommand.run({}, ["validate"])).rejects.toThrow(/expected a price catalogue/);
});

test("schema prints the JSON Schema; other words are refused", async () => {
  expect(await pricesCommand.run({}, ["schema"])).toBe(0);
  expect(JSON.parse(printed())["properties"]).toHaveProperty("electricity");
  await expect(pricesCommand.run({}, ["schema", "x"])).rejects.toThrow(/prices schema: expected nothing more, got "x"/);
  await expect(pricesCommand.run({}, ["show"])).rejects.toThrow(/validate or schema/);
});
