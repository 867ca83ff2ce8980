import type { Logger } from "#platform/log.ts";
import { hourMs } from "#platform/time.ts";

/** Part of the board's power that does not work. */
export type PowerFaultKind =
  | "mode-list"
  | "mode-query"
  | "mode-set"
  /** The configuration of the modes does not fit the board. */
  | "mode-policy"
  /** The sensors give no readings. */
  | "sensors"
  | "power-reading";

export interface PowerFault {
  readonly fault: PowerFaultKind;
  readonly reason: string;
  readonly sinceMs: number;
}

/** Present faults: for /health, metrics, the birth message, and once for the log. */
export type PowerFaults = ReturnType<typeof createPowerFaults>;

/** A fault that comes and goes for the same reason is logged again after an hour without it. */
const logAgainAfterMs = hourMs;

export function createPowerFaults(log: Logger, nowMs: () => number) {
  const present = new Map<PowerFaultKind, PowerFault>();
  const logged = new Map<PowerFaultKind, { readonly reason: string; atMs: number }>();
  return {
    /** @param consequence log message: the effect for the operator */
    raise(fault: PowerFaultKind, reason: string, consequence: string) {
      const atMs = nowMs();
      present.set(fault, { fault, reason, sinceMs: present.get(fault)?.sinceMs ?? atMs });
      const before = logged.get(fault);
      if (before?.reason === reason && atMs - before.atMs < logAgainAfterMs) {
        before.atMs = atMs;
        return;
      }
      logged.set(fault, { reason, atMs });
      log.error({ fault, reason }, consequence);
    },
    clear(fault: PowerFaultKind) {
      present.delete(fault);
    },
    list: (): readonly PowerFault[] => [...present.values()],
  };
}
