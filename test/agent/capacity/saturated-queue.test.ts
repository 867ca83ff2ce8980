import { expect, test } from "bun:test";
import { decideCapacityEstimate, type SpeedEstimate } from "#agent/capacity/decide-capacity-estimate.ts";
import { workBetween } from "#agent/serving/batching/work-record.ts";
import { simulateQueue } from "../serving/batching/simulated-queue.ts";

const startMs = 20_000;

/** Speed of the model as its profile says, in cost a millisecond. */
const statedCostPerMs = 4;
const texts = Array.from({ length: 8 }, () => 32);

test.each([0.05, 0.5, 2, 20])(
  "a real queue shows within four seconds of saturation that its model has %d times the stated speed",
  async (factor) => {
    let speed: SpeedEstimate | null = {
      tokensPerS: (statedCostPerMs * 1000) / 1.2,
      tokensPerText: 32,
      source: "profile",
      evidenceMs: 0,
    };
    let before: Parameters<typeof workBetween>[0] | undefined;
    const estimates: { readonly atMs: number; readonly tokensPerS: number }[] = [];
    const { computed } = await simulateQueue({
      // From 20 s on, each asks again as soon as it is answered.
      clients: Array.from({ length: 40 }, () => ({
        tenant: "default",
        ask: () => texts,
        thinkMs: () => 1,
        refusedMs: () => 200,
        startMs,
      })),
      endMs: 40_000,
      costPerMs: () => statedCostPerMs * factor,
      limits: { queueMs: 30_000 },
      look(queue, nowMs) {
        const { work } = queue.measurements();
        if (before !== undefined)
          speed = decideCapacityEstimate(speed, {
            ...workBetween(before, work),
            windowMs: 2_000,
            overloaded: false,
          }).estimate;
        before = work;
        estimates.push({ atMs: nowMs, tokensPerS: speed?.tokensPerS ?? 0 });
      },
    });
    const tokens = computed.reduce((sum, text) => sum + text.tokens, 0);
    const lastMs = Math.max(...computed.map(({ atMs }) => atMs));
    const trueTokensPerS = (tokens * 1000) / (lastMs - startMs);
    const unknown = estimates.findLast(({ atMs }) => atMs <= startMs)?.tokensPerS ?? 0;
    expect(unknown / trueTokensPerS).not.toBeWithin(0.8, 1.25);
    for (const { atMs, tokensPerS } of estimates)
      if (atMs >= startMs + 4_000) expect(tokensPerS / trueTokensPerS).toBeWithin(0.95, 1.05);
  },
);
