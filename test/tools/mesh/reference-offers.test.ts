import { expect, test } from "bun:test";
import { join } from "node:path";
import { configCommand } from "#cli/config/config.ts";
import { evenMixUsd, referenceOffers, referencePrices } from "#tools/mesh/reference-offers.ts";

const path = join(import.meta.dir, "../../../deploy/mesh-offers.yaml");

test("the example with offers is a valid configuration of an agent", async () => {
  expect(await configCommand.run({}, ["check", "agent", path])).toBe(0);
});

test("its four places have the reference prices, each dearer than the one before, and answer within the usual target", () => {
  expect(referencePrices).toEqual({
    peer: 0.000_000_8,
    spot: 0.000_002,
    serverless: 0.000_004_2,
    "on-demand": 0.000_006,
  });
  expect(referenceOffers.map(({ name, kind }) => [name, kind])).toEqual([
    ["spot", "spot"],
    ["serverless", "serverless"],
    ["on-demand", "on-demand"],
  ]);
  const prices = [referencePrices.peer, ...referenceOffers.map(({ usdPerRequest }) => usdPerRequest)];
  expect(prices).toEqual(prices.toSorted((a, b) => a - b));
  for (const { latencyMs } of referenceOffers) expect(latencyMs).toBeLessThanOrEqual(50);
});

test("the reference mix costs 43 % less than a third each to boards, spot and on demand", () => {
  const { peer, spot, serverless, "on-demand": onDemand } = referencePrices;
  const mixUsd = 0.5 * peer + 0.4 * spot + 0.08 * serverless + 0.02 * onDemand;
  expect(1e8 * mixUsd).toBeCloseTo(165.6, 6);
  expect(1e8 * evenMixUsd(referencePrices)).toBeCloseTo(293.33, 1);
  expect(1 - mixUsd / evenMixUsd(referencePrices)).toBeGreaterThan(0.43);
});
