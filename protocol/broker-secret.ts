import { createHmac } from "node:crypto";
import { join } from "node:path";
import { defaultStateBase } from "#platform/default-state-dir.ts";
import { Identifier } from "./messages.ts";

/** The user name with which people read along at the embedded broker. */
export const observerUsername = "observer";

/** A user name becomes a part of topics. */
export function isBrokerName(text: string): boolean {
  return new RegExp(Identifier.pattern as string).test(text);
}

/** One session of an agent at a time: the broker ends the older one. */
export function agentClientId(fleet: string, agentId: string): string {
  return `thormesh-agent-${fleet}-${agentId}`;
}

/** `thormesh doctor` asks with the agent's own secret, beside the agent that may be running. */
export function doctorClientId(fleet: string, agentId: string): string {
  return `thormesh-doctor-${fleet}-${agentId}`;
}

/** Client ids that only their owner may use. */
export const reservedClientIds = "thormesh-";

const keyBytes = 32;

export function newBrokerKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(keyBytes))).toString("base64url");
}

/** Returns the key that a key file's text stands for, or null where it is none. */
export function parseBrokerKey(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const key = Buffer.from(text, "base64url");
  return key.length === keyBytes ? key : null;
}

function derive(key: Uint8Array, ...parts: string[]): string {
  return createHmac("sha256", key).update(parts.join("\0")).digest("base64url");
}

/** The password of one agent, from its fleet's key. It says nothing of the key or of another agent's. */
export function agentSecret(key: Uint8Array, fleet: string, agentId: string): string {
  return derive(key, "agent", fleet, agentId);
}

/** The password of those who only read. */
export function observerSecret(key: Uint8Array, fleet: string): string {
  return derive(key, "observer", fleet);
}

/** Where a controller leaves its fleet's key for the agents of the same user on the same machine, by its broker's port. */
export function sharedKeyPath(environment: Readonly<Record<string, string | undefined>>, port: number): string {
  return join(defaultStateBase(environment), "broker", `${port}.key`);
}
