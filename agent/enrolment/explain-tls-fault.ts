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
      return `by the broker's clock this device's certificate has expired; it expires ${time(notAfterMs)}, and ${clock}: set the clock that is wrong (${setIt}); if neither is, the certificate is renewed as soon as the controller answers`;
    case "own-refused":
      return `the broker does not accept this device's certificate; it is valid from ${time(notBeforeMs)}, and ${clock}: set the clock that is wrong (${setIt}), possibly the broker's; if neither is, ${again}`;
    case "own-unknown":
      return `the broker knows an authority other than the one this device joined: write its configuration again (thormesh controller broker-config), or ${again}`;
    case "own-revoked":
      return `this device was revoked: to let it come back, ${again}`;
    case "own-missing":
      return `the broker requires a certificate and got none: ${again}`;
    case "broker-expired":
      return `by this device's clock (${time(nowMs)}) the broker's certificate has expired: set the clock if it is wrong (${setIt}); otherwise write the broker's configuration again (thormesh controller broker-config) or restart the controller`;
    case "broker-not-yet-valid":
      return `by this device's clock (${time(nowMs)}) the broker's certificate is not valid yet: set the clock (${setIt})`;
    case "broker-unknown":
      return `the broker's certificate is from an authority other than this fleet's: check broker.url; if the fleet has a new authority, ${again}`;
    case "broker-name":
      return "the server there is not this fleet's broker: check broker.url";
    default:
      return fault satisfies never;
  }
}
