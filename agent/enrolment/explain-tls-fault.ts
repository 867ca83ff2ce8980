import type { TlsFault } from "#protocol/mqtt/tls-fault.ts";
import type { DeviceIdentity } from "./device-identity.ts";

/** Returns what ended a connection between a device that has joined and its broker, and what helps. */
export function explainTlsFault(
  fault: TlsFault,
  { notBeforeMs, notAfterMs }: Pick<DeviceIdentity, "notBeforeMs" | "notAfterMs">,
  nowMs: number,
): string {
  const time = (ms: number) => new Date(ms).toISOString();
  const clock = `this device's clock says ${time(nowMs)}`;
  const setIt = "timedatectl set-ntp true";
  const again = "join again with a new token (thormesh token create)";
  switch (fault) {
    case "own-expired":
      return `by the broker's clock this device's certificate has ended; it ends ${time(notAfterMs)}, and ${clock}: set the clock that is wrong (${setIt}); if none is, it is renewed as soon as the controller answers`;
    case "own-refused":
      return `the broker does not take this device's certificate; it begins ${time(notBeforeMs)}, and ${clock}: set the clock that is wrong (${setIt}), of the broker's machine maybe; if none is, ${again}`;
    case "own-unknown":
      return `the broker knows another authority than the one that this device joined: write its configuration again (thormesh controller broker-config), or ${again}`;
    case "own-revoked":
      return `this device was revoked: ${again}, if it is to come back`;
    case "own-missing":
      return `the broker asks for a certificate, and got none: ${again}`;
    case "broker-expired":
      return `by this device's clock (${time(nowMs)}) the broker's certificate has ended: set the clock if it is wrong (${setIt}), else write the broker's configuration again (thormesh controller broker-config), or restart the controller`;
    case "broker-not-yet-valid":
      return `by this device's clock (${time(nowMs)}) the broker's certificate does not begin yet: set the clock (${setIt})`;
    case "broker-unknown":
      return `the broker's certificate is of another authority than this fleet's: check broker.url; if the fleet has a new authority, ${again}`;
    case "broker-name":
      return "what answers there is not this fleet's broker: check broker.url";
    default:
      return fault satisfies never;
  }
}
