/**
 * A virtual server that works on one text after another, `1000 / capacityQps` ms each, and lets a few run ahead of their turn
 * (the generic cell rate algorithm, as in ITU-T I.371, with the delay instead of a refusal).
 */
export interface Pace {
  /** How long `texts` more texts have to wait at `nowMs` for their turn; takes the turn. */
  take(texts: number, nowMs: number, capacityQps: number): number;
  /** Gives a turn back whose texts never came. */
  giveBack(texts: number, capacityQps: number): void;
  /** Milliseconds of work taken since the last call, at most `periodMs`; what is over stays for the next call. */
  workedMs(periodMs: number): number;
}

/** @param burst how many texts may come at once without waiting. */
export function createPace(burst: number): Pace {
  let freeAtMs = Number.NEGATIVE_INFINITY;
  let workMs = 0;
  return {
    take(texts, nowMs, capacityQps) {
      const eachMs = 1000 / capacityQps;
      const waitMs = Math.max(0, freeAtMs - burst * eachMs - nowMs);
      freeAtMs = Math.max(freeAtMs, nowMs) + texts * eachMs;
      workMs += texts * eachMs;
      return waitMs;
    },
    giveBack(texts, capacityQps) {
      const backMs = texts * (1000 / capacityQps);
      freeAtMs -= backMs;
      workMs = Math.max(0, workMs - backMs);
    },
    workedMs(periodMs) {
      const done = Math.min(workMs, periodMs);
      workMs -= done;
      return done;
    },
  };
}
