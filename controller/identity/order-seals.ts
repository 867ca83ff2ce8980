import type { KeyObject } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { dayMs } from "#platform/time.ts";
import { TimeMs } from "#protocol/bounds.ts";
import { type OrderChannel, sealOrder } from "#protocol/identity/order-text.ts";
import type { KeptStore } from "../store/store.ts";

/** Time for which a document may be taken in: an agent that was off for longer waits for the controller. */
export const documentValidMs = 7 * dayMs;

const keptName = "order-term";
const KeptTerm = strictObject({ v: Type.Literal(1), term: TimeMs });

/** Signs orders: desired documents and commands. */
export interface OrderSeals {
  seal<T extends object>(channel: OrderChannel, message: T, expiresAtMs: number): T;
}

/** Signs nothing, as in tests of other parts. */
export const noSeals: OrderSeals = { seal: (_channel, message) => message };

/**
 * Begins a term: orders of this run outrank those of all earlier runs. Based on the machine's clock, so that it grows even if the store
 * was lost, and on the stored term, so that it grows even if the clock was set back.
 */
export async function beginTerm(store: KeptStore, nowMs: number, log: Logger): Promise<number> {
  const before = (await store.loadKept(keptName, KeptTerm))?.term ?? 0;
  const term = Math.max(before + 1, Math.round(nowMs));
  try {
    await store.saveKept(keptName, { v: 1, term });
  } catch (error) {
    // On a full disk a controller continues: the next term is higher anyway, unless the clock is set back.
    log.error({ err: describeError(error) }, "the term of this run's orders can't be stored");
  }
  return term;
}

export function createOrderSeals(parts: {
  readonly key: KeyObject;
  readonly fleet: string;
  readonly term: number;
}): OrderSeals {
  const { key, fleet, term } = parts;
  let sequence = 0;
  return {
    seal(channel, message, expiresAtMs) {
      sequence += 1;
      return sealOrder(key, { fleet, channel }, message, { term, sequence, expiresAtMs: Math.round(expiresAtMs) });
    },
  };
}
