import type { Logger } from "#platform/log.ts";

/** What of a board's power can be out of order. */
export type PowerFaultKind =
  /** The list of modes can't be read. */
  | "mode-list"
  /** The board does not say which mode it is in. */
  | "mode-query"
  /** A mode can't be set. */
  | "mode-set"
  /** No readings come from the sensors. */
  | "sensors"
  /** Readings come, but none of input power. */
  | "power-reading";

export interface PowerFault {
  readonly fault: PowerFaultKind;
  readonly reason: string;
  readonly sinceMs: number;
}

/** What is wrong at the moment: for /health, metrics, the birth message, and once for the log. */
export interface PowerFaults {
  /** @param consequence what follows for the operator, for the log. */
  raise(fault: PowerFaultKind, reason: string, consequence: string): void;
  clear(fault: PowerFaultKind): void;
  list(): readonly PowerFault[];
}

/** A fault that comes and goes for the same reason is logged again after so long a time without it. */
const sayAgainAfterMs = 3_600_000;

export function createPowerFaults(log: Logger, nowMs: () => number): PowerFaults {
  const present = new Map<PowerFaultKind, PowerFault>();
  const said = new Map<PowerFaultKind, { readonly reason: string; atMs: number }>();
  return {
    raise(fault, reason, consequence) {
      const atMs = nowMs();
      present.set(fault, { fault, reason, sinceMs: present.get(fault)?.sinceMs ?? atMs });
      const before = said.get(fault);
      if (before?.reason === reason && atMs - before.atMs < sayAgainAfterMs) {
        before.atMs = atMs;
        return;
      }
      said.set(fault, { reason, atMs });
      log.error({ fault, reason }, consequence);
    },
    clear(fault) {
      present.delete(fault);
    },
    list: () => [...present.values()],
  };
}
