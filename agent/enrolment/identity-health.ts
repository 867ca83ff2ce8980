import type { HealthCheck } from "#agent/serving/ports.ts";
import type { DeviceIdentity } from "./device-identity.ts";

/** Health of a device's certificate, by the machine's clock. */
export function identityHealth(identity: DeviceIdentity, renewalProblem: string | null, nowMs: number): HealthCheck {
  const { fleet, agentId, notBeforeMs, notAfterMs } = identity;
  const time = (ms: number) => new Date(ms).toISOString();
  const clock = `this device's clock says ${time(nowMs)}`;
  if (nowMs < notBeforeMs) {
    const detail = `the certificate is not valid before ${time(notBeforeMs)}, and ${clock}: set it (timedatectl set-ntp true)`;
    return { status: "degraded", detail };
  }
  const because = renewalProblem === null ? "" : `; the last attempt to renew it failed: ${renewalProblem}`;
  if (nowMs > notAfterMs) {
    const remedy = "if the clock is right, it is renewed as soon as the controller can be reached";
    return {
      status: "degraded",
      detail: `the certificate expired ${time(notAfterMs)}, and ${clock}: ${remedy}${because}`,
    };
  }
  const detail = `joined fleet ${fleet} as ${agentId}, certificate until ${time(notAfterMs)}${because}`;
  return { status: renewalProblem === null ? "healthy" : "degraded", detail };
}
