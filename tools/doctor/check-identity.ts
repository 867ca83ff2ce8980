import type { DeviceIdentity } from "#agent/enrolment/device-identity.ts";
import { identityHealth } from "#agent/enrolment/identity-health.ts";
import { type CheckResult, failed, ok } from "./check.ts";

const name = "identity";

/** Checks the identity of a device that has joined a fleet. */
export function checkIdentity(joined: DeviceIdentity, nowMs: number): CheckResult {
  const { status, detail } = identityHealth(joined, null, nowMs);
  return status === "healthy"
    ? ok(name, detail ?? "")
    : failed(name, detail ?? "", "set the clock, start the agent, or join again with a new token");
}
