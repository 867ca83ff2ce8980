import type { Amounts, RightSizeInputs } from "./right-size-inputs.ts";

const maxAmount = 1e14;

/** Multiplies an amount of millicores or bytes by a factor: whole, cut, within 0 and 1e14. */
export function scaleAmount(amount: number, factor: number): number {
  const scaled = amount * factor;
  if (Number.isNaN(scaled)) return 0;
  return Math.trunc(Math.max(0, Math.min(maxAmount, scaled)));
}

interface Size {
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

/** Applies a change to millicores and bytes. */
function resize({ cpuCores, memoryBytes }: Size, change: (amount: number, kind: "cpu" | "memory") => number): Size {
  return {
    cpuCores: change(scaleAmount(cpuCores, 1000), "cpu") / 1000,
    memoryBytes: change(scaleAmount(memoryBytes, 1), "memory"),
  };
}

/** Widens a bound by (1 + multiplier / confidence) ^ exponent: the less is known (0 = nothing), the wider. */
export function widenByConfidence(inputs: RightSizeInputs["confidence"]): Size & { readonly confidence: number } {
  const { confidenceIntervalS, sampleCount, firstSampleAtS, lastSampleAtS, multiplier, exponent } = inputs;
  const bySpan = Math.max(0, lastSampleAtS - firstSampleAtS) / confidenceIntervalS;
  const confidence = Math.min(bySpan, sampleCount / (confidenceIntervalS / 60));
  const factor = (1 + multiplier / confidence) ** exponent;
  return { confidence, ...resize(inputs, (amount) => scaleAmount(amount, factor)) };
}

/** Adds `marginFraction` to both resources. */
export function addMargin(inputs: RightSizeInputs["margin"]): Size {
  return resize(inputs, (amount) => amount + scaleAmount(amount, inputs.marginFraction));
}

/** Raises both resources to the minimum, which is the pod's: its containers share it evenly. */
export function raiseToMinimum(inputs: RightSizeInputs["minResources"]): Size {
  const { minCpuCores, minMemoryBytes, containers } = inputs;
  const minimum = { cpu: scaleAmount(minCpuCores, 1000), memory: scaleAmount(minMemoryBytes, 1) };
  return resize(inputs, (amount, kind) => Math.max(amount, scaleAmount(minimum[kind], 1 / containers)));
}

/** Caps a recommendation: the minimum first, then the maximum, which wins; the general maximum holds where the policy has none. */
export function capRecommendation(inputs: RightSizeInputs["capping"]): RightSizeInputs["capping"]["recommendation"] {
  const { recommendation, policy, globalMaxAllowed } = inputs;
  const cap = (amounts: Amounts): Amounts => {
    const capped: Amounts = {};
    for (const kind of ["cpu", "memory"] as const) {
      const amount = amounts[kind];
      if (amount === undefined) continue;
      const maximum = policy.maxAllowed?.[kind] ?? globalMaxAllowed?.[kind] ?? Number.POSITIVE_INFINITY;
      capped[kind] = Math.min(Math.max(amount, policy.minAllowed?.[kind] ?? 0), maximum);
    }
    return capped;
  };
  return {
    target: cap(recommendation.target),
    lowerBound: cap(recommendation.lowerBound),
    upperBound: cap(recommendation.upperBound),
  };
}
