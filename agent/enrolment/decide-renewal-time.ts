import { hourMs } from "#platform/time.ts";

export interface RenewalTimeInputs {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Last attempt; null: none yet. */
  readonly triedMs: number | null;
  /** Names are to be in it that are not. Default: none. */
  readonly isLacking?: boolean;
  /** The broker turns the device away: the controller tells why, or gives it a certificate that counts. Default: it does not. */
  readonly isTurnedAway?: boolean;
  readonly nowMs: number;
}

export interface RenewalTimeDecision {
  readonly isDue: boolean;
  /** Time from which the certificate is to be renewed. */
  readonly fromMs: number;
}

/** Maximum time between two attempts. */
const retryMs = hourMs / 4;

/**
 * Decides whether to ask for the next certificate: when names are lacking in it or the broker does not take it, after two thirds of its life, and then again and again, also long after its end: the
 * controller knows for how long it grants that. Short lives are tried more often.
 */
export function decideRenewalTime({
  notBeforeMs,
  notAfterMs,
  triedMs,
  isLacking = false,
  isTurnedAway = false,
  nowMs,
}: RenewalTimeInputs): RenewalTimeDecision {
  const lifeMs = notAfterMs - notBeforeMs;
  const fromMs = notBeforeMs + (lifeMs * 2) / 3;
  const pauseMs = Math.min(retryMs, lifeMs / 30);
  // A clock that was set back must not stop the attempts for as long.
  const isRested = triedMs === null || Math.abs(nowMs - triedMs) >= pauseMs;
  return { isDue: (nowMs >= fromMs || isLacking || isTurnedAway) && isRested, fromMs };
}
