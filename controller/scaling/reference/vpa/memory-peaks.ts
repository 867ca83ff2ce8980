import { scaleAmount } from "./amounts.ts";
import type { RightSizeInputs } from "./right-size-inputs.ts";

/** Collects one memory peak for each window; `accepted`: true for each event that counted, in order. A kill counts as more than was used; kills do not compound, since they build on usage alone. */
export function collectMemoryPeaks(inputs: RightSizeInputs["oom"]) {
  const { intervalS, bumpRatio, minBumpBytes, events } = inputs;
  const peaks = new Map<number, number>();
  let lastSampleS = Number.NEGATIVE_INFINITY;
  let windowEndS: number | null = null;
  let usagePeak = 0;
  let oomPeak = 0;
  const accepted = events.map(({ atS, type, bytes = 0, requestBytes = 0 }) => {
    const isOom = type === "oom";
    if (atS < (isOom ? lastSampleS - intervalS : lastSampleS)) return false;
    const used = Math.max(Math.trunc(requestBytes), usagePeak);
    const sample = isOom
      ? Math.max(used + Math.trunc(minBumpBytes), scaleAmount(used, bumpRatio))
      : scaleAmount(bytes, 1);
    lastSampleS = atS;
    windowEndS ??= atS;
    if (atS >= windowEndS) {
      windowEndS += (Math.floor((atS - windowEndS) / intervalS) + 1) * intervalS;
      usagePeak = 0;
      oomPeak = 0;
    } else {
      const peak = Math.max(usagePeak, oomPeak);
      if (peak === 0 || sample <= peak) return true;
    }
    peaks.set(windowEndS, sample);
    if (isOom) oomPeak = sample;
    else usagePeak = sample;
    return true;
  });
  const ordered = [...peaks].sort(([a], [b]) => a - b);
  return { accepted, peaks: ordered.map(([end, bytes]) => ({ windowEndS: end, bytes })) };
}
