import { expect, test } from "bun:test";
import { confidenceOf, decideCapacityEstimate, type SpeedEstimate } from "#agent/capacity/decide-capacity-estimate.ts";
import { workBetween } from "#agent/serving/batching/work-record.ts";
import { seededRandom, simulateQueue } from "../serving/batching/simulated-queue.ts";

const statedCostPerMs = 4;
/** Tokens per second of full batches: eight texts with 32 tokens. */
const fullTokensPerS = (moreOverhead: number) => (statedCostPerMs * 1000 * 256) / (40 + moreOverhead + 256);

interface Look {
  readonly atMs: number;
  readonly tokensPerS: number;
  readonly confidence: number;
  readonly rule: string;
  /** Difference to the true speed, as a share of it. */
  readonly error: number;
}

/**
 * Follows the estimate of a device that was once saturated. Its clients ask for one text at a time, at random.
 * @param options.slowness time that work takes, as a multiple
 */
async function follow(options: {
  readonly endMs: number;
  readonly slowness: (nowMs: number) => number;
  /** Fixed cost of a batch in tokens beside the 40 that agents assume. */
  readonly moreOverhead: number;
  /** Texts that are wanted, as a share of what full batches carry. */
  readonly clients: readonly { readonly load: number; readonly startMs?: number; readonly endMs?: number }[];
}): Promise<readonly Look[]> {
  const { endMs, slowness, moreOverhead, clients } = options;
  const random = seededRandom(7);
  const fullPerS = fullTokensPerS(moreOverhead);
  let speed: SpeedEstimate | null = {
    ...{ tokensPerS: fullPerS, tokensPerText: 32, source: "saturated", evidenceMs: 60_000 },
  };
  let seen: Parameters<typeof workBetween>[0] | undefined;
  const looks: Look[] = [];
  await simulateQueue({
    clients: clients.flatMap(({ load, ...times }) =>
      Array.from({ length: 40 }, () => ({
        tenant: "default",
        ask: () => [32],
        thinkMs: () => (-Math.log(1 - random()) * 40_000) / ((load * fullPerS) / 32),
        refusedMs: () => 200,
        ...times,
      })),
    ),
    endMs,
    costPerMs: (nowMs) => statedCostPerMs / slowness(nowMs),
    moreOverhead,
    limits: { queueMs: 30_000 },
    look(queue, nowMs) {
      const { work } = queue.measurements();
      if (seen !== undefined) {
        const decision = decideCapacityEstimate(speed, {
          ...workBetween(seen, work),
          windowMs: 2_000,
          overloaded: false,
        });
        speed = decision.estimate;
        const { tokensPerS } = speed as SpeedEstimate;
        const confidence = confidenceOf(speed as SpeedEstimate);
        const error = (tokensPerS * slowness(nowMs)) / fullPerS - 1;
        looks.push({ atMs: nowMs, tokensPerS, confidence, rule: decision.rule, error });
      }
      seen = work;
    },
  });
  return looks;
}

test.each([0, 40])(
  "a device whose speed falls to half at 40 %% load is seen to fall before it is full (%d tokens more overhead)",
  async (moreOverhead) => {
    const fallsFromMs = 300_000;
    const fallsForMs = 1_200_000;
    const slowness = (nowMs: number) => 1 / (1 - 0.5 * Math.min(1, Math.max(0, nowMs - fallsFromMs) / fallsForMs));
    const clients = [{ load: 0.4 }];
    const looks = await follow({ endMs: 1_800_000, slowness, moreOverhead, clients });
    for (const { atMs, error } of looks) expect({ atMs, error: Math.abs(error) < 0.1 }).toEqual({ atMs, error: true });
    const last = looks.at(-1) as Look;
    expect(last.tokensPerS / fullTokensPerS(moreOverhead)).toBeWithin(0.45, 0.55);
    expect(last.confidence).toBeWithin(0.6, (looks[0] as Look).confidence - 0.01);
    expect(new Set(looks.map(({ rule }) => rule))).toEqual(new Set(["served"]));
  },
);

test("a steady device is not thought to be slow because its batches are small", async () => {
  const slowness = () => 1;
  // Batches are far costlier than agents assume, so a lone text takes 112 tokens' time instead of 72.
  const moreOverhead = 40;
  const turns = [0.4, 0.05, 0.7, 0.2, 0.05, 0.5, 0.1];
  const clients = turns.map((load, turn) => ({ load, startMs: turn * 200_000, endMs: (turn + 1) * 200_000 }));
  const looks = await follow({ endMs: turns.length * 200_000, slowness, moreOverhead, clients });
  for (const { atMs, error } of looks) expect({ atMs, error: Math.abs(error) < 0.1 }).toEqual({ atMs, error: true });
});
