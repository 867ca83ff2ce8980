import { describe, expect, test } from "bun:test";
import { batchCost } from "#agent/serving/batching/decide-batch.ts";
import {
  type Simulated,
  type SimulatedClient,
  type SimulationOptions,
  seededRandom,
  simulateQueue,
} from "./simulated-queue.ts";

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Six short texts to three medium to one long, as `thormesh load` sends them. */
const mix = [16, 64, 16, 16, 64, 16, 256, 16, 64, 16];
function asker(seed: number, texts: number): () => number[] {
  const random = seededRandom(seed);
  return () => times(texts, () => mix[Math.floor(random() * mix.length)] as number);
}

const eager = (tenant: string, seed: number, texts: number, more: Partial<SimulatedClient> = {}): SimulatedClient => ({
  tenant,
  ask: asker(seed, texts),
  thinkMs: () => 1,
  // A client that doesn't heed Retry-After, slowed down as refusals are.
  refusedMs: () => 500,
  ...more,
});

function answeredTokensPerS({ outcomes }: Simulated, tenant: string, endMs: number): number {
  const tokens = outcomes
    .filter((outcome) => outcome.kind === "answered" && outcome.tenant === tenant)
    .reduce((sum, outcome) => sum + outcome.tokens, 0);
  return (tokens * 1_000) / endMs;
}

const share = ({ outcomes }: Simulated, tenant: string, kind: string) => {
  const own = outcomes.filter((outcome) => outcome.tenant === tenant);
  return own.filter((outcome) => outcome.kind === kind).length / own.length;
};

function p95Ms({ outcomes }: Simulated, tenant: string): number {
  const sorted = outcomes
    .filter((outcome) => outcome.tenant === tenant && outcome.kind === "answered")
    .map(({ startedMs, endedMs }) => endedMs - startedMs)
    .sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
}

describe("eighty connections with requests of sixty texts", () => {
  const run = (connections: number, more: Partial<SimulationOptions> = {}) =>
    simulateQueue({
      clients: times(connections, (index) => eager("default", index, 60)),
      endMs: 60_000,
      costPerMs: () => 3,
      ...more,
    });

  test.each([
    { name: "as configured", more: {} },
    { name: "when nothing is known of the speed at first", more: { assumed: false } },
    { name: "when as much may wait as a request may take", more: { limits: { queueMs: 30_000 } } },
    { name: "with two processes", more: { lanes: 2 } },
    { name: "on a fast model with large batches", more: { costPerMs: () => 100, maxTokens: 16_384, endMs: 8_000 } },
  ] as const)("get as much done as ten: $name", async ({ more }) => {
    const few = await run(10, more);
    const many = await run(80, more);
    const ratio = answeredTokensPerS(many, "default", 1_000) / answeredTokensPerS(few, "default", 1_000);
    expect(ratio).toBeGreaterThan(0.9);
    expect(share(many, "default", "late")).toBeLessThan(0.01);
    for (const { kind, startedMs, endedMs } of many.outcomes)
      if (kind === "answered") expect(endedMs - startedMs).toBeLessThanOrEqual(30_000);
  });

  test("and a model that becomes four times slower keeps answering", async () => {
    const endMs = 150_000;
    const slower = await run(80, { endMs, costPerMs: (now) => (now < 60_000 ? 8 : 2), limits: { queueMs: 25_000 } });
    // By ten seconds: what is computed is answered.
    const wasted =
      slower.computed.reduce((sum, { tokens }) => sum + tokens, 0) -
      slower.outcomes.filter(({ kind }) => kind === "answered").reduce((sum, { tokens }) => sum + tokens, 0);
    expect(wasted / slower.computed.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThan(0.1);
  });

  test.each([1_000, 3_000, 8_000])("of clients that wait %d ms only", async (latencyBudgetMs) => {
    const clients = (count: number) => times(count, (index) => eager("default", index, 20, { latencyBudgetMs }));
    const few = await simulateQueue({ clients: clients(4), endMs: 60_000, costPerMs: () => 6 });
    const many = await simulateQueue({ clients: clients(80), endMs: 60_000, costPerMs: () => 6 });
    const ratio = answeredTokensPerS(many, "default", 60_000) / answeredTokensPerS(few, "default", 60_000);
    expect(ratio).toBeGreaterThan(0.9);
    for (const { kind, startedMs, endedMs } of many.outcomes)
      if (kind === "answered") expect(endedMs - startedMs).toBeLessThanOrEqual(latencyBudgetMs);
  });
});

test("of requests of all sizes, those that can be done in time at an equal share are admitted, and the others refused at once", async () => {
  const sizes = [1, 1, 1, 4, 16, 60, 200];
  const { outcomes, computed } = await simulateQueue({
    clients: times(60, (index) => eager("default", index, sizes[index % sizes.length] as number)),
    endMs: 60_000,
    costPerMs: () => 6,
  });
  const of = (kind: string, least = 1) => outcomes.filter((each) => each.kind === kind && each.texts >= least);
  const sum = (all: readonly { readonly tokens: number }[]) => all.reduce((tokens, each) => tokens + each.tokens, 0);
  expect(sum(of("answered")) / sum(computed)).toBeGreaterThan(0.9);
  expect(of("late").length).toBeLessThan(outcomes.length / 100);
  // None waits for larger ones.
  for (const texts of [1, 4]) expect(of("refused").filter((each) => each.texts === texts).length).toBeLessThan(10);
  for (const texts of [1, 4, 16]) expect(of("answered").some((each) => each.texts === texts)).toBe(true);
});

describe("a tenant within its share, while another floods", () => {
  const endMs = 60_000;
  /** Asks for two fifths of what the model can do. */
  const polite = (texts: number, everyMs: number): SimulatedClient => ({
    ...eager("a", 1, texts),
    thinkMs: () => everyMs,
    refusedMs: () => everyMs,
    startMs: 20_000,
  });
  test.each([
    { texts: 1, everyMs: 100 },
    { texts: 10, everyMs: 300 },
    { texts: 60, everyMs: 2_000 },
    { texts: 200, everyMs: 6_000 },
  ])("keeps its requests of $texts texts, about as fast as alone", async ({ texts, everyMs }) => {
    const alone = await simulateQueue({ clients: [polite(texts, everyMs)], endMs });
    for (const flooderTexts of [1, 60, 250]) {
      const flood = times(40, (index) => eager("b", index + 10, flooderTexts));
      const beside = await simulateQueue({ clients: [...flood, polite(texts, everyMs)], endMs });
      expect(share(beside, "a", "answered")).toBeGreaterThanOrEqual(0.95);
      // What is being computed when a request comes is finished first: a batch of at most 296 tokens' time.
      expect(p95Ms(beside, "a")).toBeLessThanOrEqual(1.5 * p95Ms(alone, "a") + 30);
      // And the flood gets the rest.
      const rest = answeredTokensPerS(alone, "a", endMs) + answeredTokensPerS(beside, "b", endMs);
      expect(rest).toBeGreaterThan(6_000);
    }
  });

  test("is admitted although the flood fills the queue", async () => {
    const limits = { queueRequests: 8, queueTexts: 500, queueTokens: 20_000, queueBytes: 500_000, queueMs: 30_000 };
    const flood = times(80, (index) => eager("b", index + 10, 60));
    const beside = await simulateQueue({ clients: [...flood, polite(10, 300)], endMs, limits });
    expect(share(beside, "a", "answered")).toBeGreaterThanOrEqual(0.95);
  });
});

test("a tenant that had all of an idle model before is answered beside one that floods it then", async () => {
  const endMs = 40_000;
  const before = times(40, (index) => eager("a", index + 100, 60, { endMs: 14_000 }));
  const little: SimulatedClient = { ...eager("a", 1, 2), thinkMs: () => 200, refusedMs: () => 200, startMs: 15_000 };
  const flood = times(60, (index) => eager("b", index + 10, 40, { startMs: 14_000 }));
  const result = await simulateQueue({ clients: [...before, little, ...flood], endMs });
  const own = result.outcomes.filter(({ tenant, startedMs }) => tenant === "a" && startedMs >= 15_000);
  expect(own.length).toBeGreaterThan(20);
  expect(own.filter(({ kind }) => kind === "answered").length / own.length).toBeGreaterThanOrEqual(0.95);
});

/** Fair share of each tenant: the largest of which none gets more than it asks for (water-filling). */
function maxMinShares(
  demands: readonly { readonly weight: number; readonly demand: number }[],
  capacity: number,
): number[] {
  const given = demands.map(() => 0);
  let open = demands.map((_, index) => index);
  let left = capacity;
  while (open.length > 0 && left > 1e-9) {
    const weights = open.reduce((sum, index) => sum + (demands[index] as { weight: number }).weight, 0);
    const level = left / weights;
    const full = open.filter((index) => {
      const { weight, demand } = demands[index] as (typeof demands)[number];
      return demand - (given[index] as number) <= weight * level;
    });
    for (const index of full.length > 0 ? full : open) {
      const { weight, demand } = demands[index] as (typeof demands)[number];
      const more = full.length > 0 ? demand - (given[index] as number) : weight * level;
      given[index] = (given[index] as number) + more;
      left -= more;
    }
    if (full.length === 0) break;
    open = open.filter((index) => !full.includes(index));
  }
  return given;
}

test("the shares themselves: a tenant that asks for little gets it, the others share the rest by weight", () => {
  const demands = [
    { weight: 1, demand: 10 },
    { weight: 1, demand: 100 },
    { weight: 2, demand: 100 },
  ];
  expect(maxMinShares(demands, 100)).toEqual([10, 30, 60]);
  expect(maxMinShares(demands, 1_000)).toEqual([10, 100, 100]);
});

test.each(times(12, (seed) => ({ seed })))(
  "tenants at random, seed $seed: each gets its share, but for a batch",
  async ({ seed }) => {
    const random = seededRandom(seed);
    const tenants = times(2 + Math.floor(random() * 5), (index) => ({
      name: `t${index}`,
      weight: [0.5, 1, 1, 2, 5][Math.floor(random() * 5)] as number,
      clients: 4 + Math.floor(random() * 30),
      texts: 10 + Math.floor(random() ** 2 * 80),
      // Some ask for all they can get, others for little now and then.
      thinkMs: index > 0 && random() < 0.4 ? 20_000 + 60_000 * random() : 1,
    }));
    const result = await simulateQueue({
      clients: tenants.flatMap(({ name, clients, texts, thinkMs }, tenant) =>
        times(clients, (index) =>
          eager(name, 100 * tenant + index, texts, { refusedMs: () => 100, thinkMs: () => thinkMs }),
        ),
      ),
      endMs: 60_000,
      costPerMs: () => 5,
      weights: Object.fromEntries(tenants.map(({ name, weight }) => [name, weight])),
      limits: { queueMs: 60_000, requestTimeoutMs: 60_000, queueTokens: 10_000_000, queueTexts: 100_000 },
    });
    const done = (name: string) =>
      result.computed.filter(({ tenant }) => tenant === name).reduce((sum, { cost }) => sum + cost, 0);
    const demands = tenants.map(({ name, weight, thinkMs }) => ({
      weight,
      demand: thinkMs > 1 ? done(name) : Number.MAX_SAFE_INTEGER,
    }));
    const shares = maxMinShares(
      demands,
      tenants.reduce((sum, { name }) => sum + done(name), 0),
    );
    const batch = 2 * batchCost(1, result.maxBatchTokens);
    for (const [index, { name }] of tenants.entries())
      expect(done(name)).toBeGreaterThanOrEqual((shares[index] as number) - batch);
  },
);

test("a burst after the start is admitted as far as the warm-up's speed carries it: no request is late", async () => {
  const { outcomes } = await simulateQueue({
    // 60 requests at once, of which the model computes four a second.
    clients: times(60, (index) =>
      eager("default", index, 20, { ask: () => times(20, () => 32), refusedMs: () => 60_000 }),
    ),
    endMs: 20_000,
    costPerMs: () => 3,
    limits: { requestTimeoutMs: 10_000, queueMs: 10_000 },
  });
  const first = outcomes.filter(({ startedMs }) => startedMs === 0);
  const count = (kind: string) => first.filter((outcome) => outcome.kind === kind).length;
  expect(count("late")).toBe(0);
  expect(count("answered")).toBeGreaterThan(10);
  expect(count("refused")).toBeGreaterThan(10);
});
