import { describe, expect, test } from "bun:test";
import { decideReplicas } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import { ReplicaInputs } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { parseConfig } from "#platform/files/read-config.ts";

/** mulberry32: the same seed gives the same inputs. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function inputsFrom(seed: number): ReplicaInputs {
  const random = randomFrom(seed);
  const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const pick = <T>(...choices: T[]) => choices[whole(0, choices.length - 1)] as T;
  const many = <T>(most: number, make: (index: number) => T) =>
    Array.from({ length: whole(0, most) }, (_, i) => make(i));
  const minReplicas = whole(0, 5);
  const rules = () => ({
    stabilizationWindowS: pick(0, 60, 300),
    selectPolicy: pick("max", "min", "disabled"),
    policies: [
      { type: "count", value: whole(1, 5), periodS: whole(1, 120) },
      ...many(1, () => ({ type: "percent", value: whole(1, 200), periodS: whole(1, 120) })),
    ],
  });
  const metric = () =>
    pick<object>(
      { kind: "resource", name: "cpu", targetUtilizationPercent: whole(1, 150) },
      { kind: "resource", name: "cpu", targetAverageValue: random() + 0.01 },
      { kind: "replica", name: "qps", targetAverageValue: random() * 50 + 0.01 },
      { kind: "external", name: "queue", targetValue: random() * 50 + 0.01 },
      { kind: "object", name: "queue", targetAverageValue: random() * 10 + 0.01 },
    );
  const replicas = many(8, (index) => ({
    id: `r${index}`,
    phase: pick("running", "running", "running", "pending", "failed", "deleting"),
    ready: pick(true, true, false),
    startedAgoS: whole(0, 900),
    readyChangedAgoS: whole(0, 900),
    requests: pick<object>({ cpu: random() * 2 }, { cpu: 1 }, {}),
  }));
  const value = () => pick(random() * 100, random(), 0, null);
  return parseConfig(
    ReplicaInputs,
    {
      policy: {
        minReplicas,
        maxReplicas: minReplicas + whole(1, 20),
        toleranceUp: pick(0, 0.1, 0.5),
        toleranceDown: pick(0, 0.1, 0.5),
        metrics: [metric(), ...many(2, metric)],
        ...pick<object>({}, { behavior: { scaleUp: rules(), scaleDown: rules() } }, { legacyScaleUpLimit: {} }),
      },
      currentReplicas: whole(0, 30),
      replicas,
      samples: [
        ...many(8, (index) => ({ metric: pick("cpu", "qps"), replica: `r${index}`, value: value(), windowS: 60 })),
        ...many(2, () => ({ metric: "queue", value: value() })),
      ],
      failedMetrics: pick<string[]>([], [], ["qps"], ["queue"]),
      history: {
        recommendations: many(5, () => ({ agoS: whole(0, 400), replicas: whole(0, 30) })),
        changes: many(5, () => ({ agoS: whole(0, 400), delta: whole(-10, 10) })),
      },
    },
    `seed ${seed}`,
  );
}

const seeds = Array.from({ length: 3000 }, (_, seed) => seed + 1);

describe("for 3,000 random inputs", () => {
  test("the result is a whole number within minimum and maximum, or scaling is switched off", () => {
    for (const seed of seeds) {
      const inputs = inputsFrom(seed);
      const { replicas } = decideReplicas(inputs);
      const { minReplicas, maxReplicas } = inputs.policy;
      const off = inputs.currentReplicas === 0 && minReplicas > 0;
      const fits =
        Number.isInteger(replicas) && (off ? replicas === 0 : replicas >= minReplicas && replicas <= maxReplicas);
      expect({ seed, replicas, fits }).toEqual({ seed, replicas, fits: true });
    }
  });

  test("the same inputs give the same decision and are left as they were", () => {
    for (const seed of seeds) {
      const inputs = inputsFrom(seed);
      const first = decideReplicas(inputs);
      expect(inputs).toEqual(inputsFrom(seed));
      expect(decideReplicas(inputsFrom(seed))).toEqual(first);
    }
  });

  test("while a metric fails the count does not fall below current and maximum", () => {
    let looked = 0;
    for (const seed of seeds) {
      const inputs = inputsFrom(seed);
      const { metricFailed, replicas } = decideReplicas(inputs);
      if (!metricFailed || inputs.policy.legacyScaleUpLimit !== undefined) continue;
      looked += 1;
      expect(replicas).toBeGreaterThanOrEqual(inputs.currentReplicas);
    }
    expect(looked).toBeGreaterThan(100);
  });

  test("more demand never asks for fewer", () => {
    for (const seed of seeds) {
      const inputs = inputsFrom(seed);
      const metrics = [{ kind: "external", name: "queue", targetAverageValue: 1 } as const];
      const at = (value: number) =>
        decideReplicas({
          ...inputs,
          ...{ policy: { ...inputs.policy, metrics }, samples: [{ metric: "queue", value }], failedMetrics: [] },
        }).replicas;
      const results = [0, 1, 3, 7, 20, 50].map(at);
      expect({ seed, results }).toEqual({ seed, results: results.toSorted((a, b) => a - b) });
    }
  });
});
