/** A stretch of ONNX Runtime alone. */
export interface RawStretch {
  readonly batch: number;
  /** True if the texts were sorted by length, so that less is padded. */
  readonly sorted: boolean;
  readonly textsPerS: number;
  readonly seconds: number;
  readonly cpuS: number;
  /** CPU time that other programs of the machine took meanwhile. */
  readonly otherCpuS: number;
}

export interface RawMix {
  readonly best: RawStretch;
  /** Of single texts, one after the other; of "mixed" over the mix. */
  readonly singleMs: { readonly p50: number; readonly p95: number };
  readonly tried: readonly RawStretch[];
}

/** The load generator's figures for a stretch against one server. */
export interface ServerStretch {
  readonly textsPerS: number;
  readonly seconds: number;
  readonly serverCpuS: number;
  readonly clientCpuS: number;
  readonly otherCpuS: number;
  readonly errors: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/**
 * A server's throughput as shares of what ONNX Runtime alone did in the same run on the same cores.
 *
 * - `ofCeiling`: **the ratio that counts.** Texts for each second of CPU time that was there to be used: all cores, less what the
 *   load generator and other programs took. A server that leaves cores idle loses by it, one that shares them with its client does not.
 * - `ofRate`: texts per second beside texts per second, nothing deducted: the client's work is held against the server.
 * - `ofCpu`: texts for each CPU second that the server itself used: idle cores do not count, which flatters a server that waits.
 */
export interface Ratios {
  readonly ofCeiling: number;
  readonly ofRate: number;
  readonly ofCpu: number;
}

/** Two stretches of the same raw loop as one. */
export function joinStretches(a: RawStretch, b: RawStretch): RawStretch {
  const seconds = a.seconds + b.seconds;
  return {
    ...a,
    textsPerS: (a.textsPerS * a.seconds + b.textsPerS * b.seconds) / seconds,
    seconds,
    cpuS: a.cpuS + b.cpuS,
    otherCpuS: a.otherCpuS + b.otherCpuS,
  };
}

/** @param cores that server, client and raw loop may all use */
export function ratiosOf(server: ServerStretch, raw: RawStretch, cores: number): Ratios {
  const usable = (seconds: number, takenCpuS: number) => Math.max(0.001, cores * seconds - Math.max(0, takenCpuS));
  const serverTexts = server.textsPerS * server.seconds;
  const rawTexts = raw.textsPerS * raw.seconds;
  const rawPerUsableS = rawTexts / usable(raw.seconds, raw.otherCpuS);
  return {
    ofCeiling: serverTexts / usable(server.seconds, server.clientCpuS + server.otherCpuS) / rawPerUsableS,
    ofRate: server.textsPerS / raw.textsPerS,
    ofCpu: serverTexts / Math.max(0.001, server.serverCpuS) / (rawTexts / raw.cpuS),
  };
}

/** Above this share of the cores taken by other programs, figures are of little use. */
export const noisyShare = 0.05;

export function isNoisy(stretch: { readonly seconds: number; readonly otherCpuS: number }, cores: number): boolean {
  return stretch.otherCpuS > noisyShare * cores * stretch.seconds;
}
