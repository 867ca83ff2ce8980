import { cpuMsOf } from "./cpu-time.ts";

/**
 * Returns how many times longer than on an idle machine things take now, at least 1. Bounds that can only be measured on the clock are multiplied
 * by it.
 */
export function slowdown(): number {
  const startedMs = performance.now();
  let cpuMs = 0;
  // Long enough to be interrupted for other processes.
  while (cpuMs < 100) {
    cpuMs += cpuMsOf(() => {
      for (let index = 0; index < 1e6; index += 1) Math.sqrt(index);
    });
  }
  const ratio = (performance.now() - startedMs) / cpuMs;
  return ratio < 1.3 ? 1 : ratio;
}
