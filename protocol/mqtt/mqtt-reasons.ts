import { ReasonCodes } from "mqtt";

/** Reason codes of MQTT 5 that this program acts on (section 2.4), and the return codes of 3.1.1 beside them. */
export const reasonCode = {
  noMatchingSubscribers: 0x10,
  failureBit: 0x80,
  unsupportedVersion: 0x84,
  unsupportedVersion311: 1,
  takenOver: 0x8e,
  packetTooLarge: 0x95,
} as const;

/** Codes of CONNACK that say: not with this user name and password. 4 and 5 are those of 3.1.1. */
const refusesLogin: ReadonlySet<number> = new Set([4, 5, 0x86, 0x87, 0x8a]);

export const isLoginRefused = (code: number | null): boolean => code !== null && refusesLogin.has(code);
export const isVersionRefused = (code: number | null): boolean =>
  code === reasonCode.unsupportedVersion || code === reasonCode.unsupportedVersion311;

/** Returns a reason code in words, with the broker's own where it gave some. */
export function reasonToText(code: number, brokersWords?: string): string {
  const name = (ReasonCodes as Record<number, string>)[code];
  const known = name === undefined || name === "" ? "Reason code" : name;
  const words = brokersWords === undefined || brokersWords === "" ? "" : `: ${brokersWords.slice(0, 200)}`;
  return `${known} (0x${code.toString(16).padStart(2, "0")})${words}`;
}
