import { dayMs } from "#platform/time.ts";

export interface CertificateFacts {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The machine's clock: certificates know no other. */
  readonly nowMs: number;
}

export type CertificateRule = "valid" | "ends-soon" | "not-yet-valid" | "ended";

/** Time before its end in which a certificate should have been replaced; less for one of a short life. */
const soonMs = 14 * dayMs;
const soonShare = 0.2;

/** Decides whether a server's certificate is of use now. */
export function decideCertificate({ notBeforeMs, notAfterMs, nowMs }: CertificateFacts): CertificateRule {
  if (nowMs < notBeforeMs) return "not-yet-valid";
  if (nowMs > notAfterMs) return "ended";
  const leftMs = notAfterMs - nowMs;
  return leftMs < Math.min(soonMs, (notAfterMs - notBeforeMs) * soonShare) ? "ends-soon" : "valid";
}
