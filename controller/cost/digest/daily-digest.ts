import { Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";
import type { KeptStore } from "../../store/store.ts";
import { periodAt } from "../history/sum-costs.ts";
import type { Digest } from "./make-digest.ts";

export interface DailyDigestParts {
  readonly store: KeptStore;
  readonly timeZone: string;
  readonly make: () => Promise<Digest>;
  readonly tell: (digest: Digest) => void;
  readonly nowMs: () => number;
}

const keptAs = "cost-digest";
const Kept = strictObject({ dayStartMs: Type.Number() });
/** Time after midnight at which a day's records have come. */
const afterMidnightMs = hourMs;

/** Sends each day's digest once, an hour after its end; if the controller was away then, it sends it when it is back. */
export class DailyDigest {
  readonly #parts: DailyDigestParts;
  #toldDayMs: number | null = null;

  constructor(parts: DailyDigestParts) {
    this.#parts = parts;
  }

  /** Looks whether a digest is due, and tells it. */
  async look(): Promise<void> {
    const { store, timeZone, make, tell, nowMs } = this.#parts;
    const today = periodAt("daily", nowMs(), timeZone);
    if (nowMs() - today.startMs < afterMidnightMs) return;
    this.#toldDayMs ??= (await store.loadKept(keptAs, Kept))?.dayStartMs ?? null;
    // A clock that was ahead must not keep digests back for good.
    if (this.#toldDayMs === today.startMs) return;
    const isFirst = this.#toldDayMs === null;
    this.#toldDayMs = today.startMs;
    await store.saveKept(keptAs, { dayStartMs: today.startMs });
    // A new controller has no yesterday.
    if (!isFirst) tell(await make());
  }
}
