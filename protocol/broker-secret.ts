import { createHmac } from "node:crypto";
import { join } from "node:path";
import { defaultStateBase } from "#platform/files/default-state-dir.ts";
import { Identifier } from "./messages.ts";

/** User name of observers, who read the fleet's messages at the embedded broker. */
export const observerUsername = "observer";

/** Returns true for a name that can be a part of topics. */
export function isBrokerName(text: string): boolean {
  return new RegExp(Identifier.pattern as string).test(text);
}

/** Client id of an agent. A broker ends the older of two sessions with one client id. */
export function agentClientId(fleet: string, agentId: string): string {
  return `thormesh-agent-${fleet}-${agentId}`;
}

/** Client id of `thormesh doctor`, which connects with the agent's secret while the agent may be running. */
export function doctorClientId(fleet: string, agentId: string): string {
  return `thormesh-doctor-${fleet}-${agentId}`;
}

/** Client ids that only their owner may use. */
export const reservedClientIds = "thormesh-";

const keyBytes = 32;

export function newBrokerKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(keyBytes))).toString("base64url");
}

/** Parses the text of a key file; null when it is not a key. */
export function parseBrokerKey(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const key = Buffer.from(text, "base64url");
  return key.length === keyBytes ? key : null;
}

function derive(key: Uint8Array, ...parts: string[]): string {
  return createHmac("sha256", key).update(parts.join("\0")).digest("base64url");
}

/** Password of one agent, derived from its fleet's key; neither the key nor another password follows from it. */
export function agentSecret(key: Uint8Array, fleet: string, agentId: string): string {
  return derive(key, "agent", fleet, agentId);
}

/** Password of observers, who only read. */
export function observerSecret(key: Uint8Array, fleet: string): string {
  return derive(key, "observer", fleet);
}

/** Path at which a controller leaves its fleet's key for agents of the same user on the same machine, by its broker's port. */
export function sharedKeyPath(environment: Readonly<Record<string, string | undefined>>, port: number): string {
  return join(defaultStateBase(environment), "broker", `${port}.key`);
}
