import type { Amounts, RightSizeInputs } from "./right-size-inputs.ts";

const mostAmount = 1e14;

/** An amount of millicores or bytes times a factor: whole, cut, within 0 and 1e14. */
export function scaleAmount(amount: number, factor: number): number {
  const scaled = amount * factor;
  if (Number.isNaN(scaled)) return 0;
  return Math.trunc(Math.max(0, Math.min(mostAmount, scaled)));
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

/** The less is known (0 = nothing), the wider the bound: times (1 + multiplier / confidence) ^ exponent. */
export function widenByConfidence(inputs: RightSizeInputs["confidence"]): Size & { readonly confidence: number } {
  const { confidenceIntervalS, sampleCount, firstSampleAtS, lastSampleAtS, multiplier, exponent } = inputs;
  const bySpan = Math.max(0, lastSampleAtS - firstSampleAtS) / confidenceIntervalS;
  const confidence = Math.min(bySpan, sampleCount / (confidenceIntervalS / 60));
  const factor = (1 + multiplier / confidence) ** exponent;
  return { confidence, ...resize(inputs, (amount) => scaleAmount(amount, factor)) };
}

/** Both resources and `marginFraction` of them on top. */
export function addMargin(inputs: RightSizeInputs["margin"]): Size {
  return resize(inputs, (amount) => amount + scaleAmount(amount, inputs.marginFraction));
}

/** The minimum is the pod's; its containers share it evenly. */
export function raiseToMinimum(inputs: RightSizeInputs["minResources"]): Size {
  const { minCpuCores, minMemoryBytes, containers } = inputs;
  const least = { cpu: scaleAmount(minCpuCores, 1000), memory: scaleAmount(minMemoryBytes, 1) };
  return resize(inputs, (amount, kind) => Math.max(amount, scaleAmount(least[kind], 1 / containers)));
}

/** The minimum first, then the maximum, which wins; the general maximum holds where the policy has none. */
export function capRecommendation(inputs: RightSizeInputs["capping"]): RightSizeInputs["capping"]["recommendation"] {
  const { recommendation, policy, globalMaxAllowed } = inputs;
  const cap = (amounts: Amounts): Amounts => {
    const capped: Amounts = {};
    for (const kind of ["cpu", "memory"] as const) {
      const amount = amounts[kind];
      if (amount === undefined) continue;
      const most = policy.maxAllowed?.[kind] ?? globalMaxAllowed?.[kind] ?? Number.POSITIVE_INFINITY;
      capped[kind] = Math.min(Math.max(amount, policy.minAllowed?.[kind] ?? 0), most);
    }
    return capped;
  };
  return {
    target: cap(recommendation.target),
    lowerBound: cap(recommendation.lowerBound),
    upperBound: cap(recommendation.upperBound),
  };
}
