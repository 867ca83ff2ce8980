import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityRoutes } from "#controller/api/identity-routes.ts";
import { AuditLog } from "#controller/audit/audit-log.ts";
import { Devices } from "#controller/identity/devices.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { JoinTokens } from "#controller/identity/join-tokens.ts";
import { noSeals } from "#controller/identity/order-seals.ts";
import type { Device, Store, StoredJoinToken } from "#controller/store/store.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";
import { createMemoryStore } from "../controller/memory-store.ts";

const hash = "h".repeat(43);

export function aJoinToken(fields: Partial<StoredJoinToken> = {}): StoredJoinToken {
  return {
    ...{ id: "token00000", publicKey: "x", region: "", isApproved: true, usesLeft: 1 },
    ...{ createdMs: 1_000, expiresMs: 2_000, revokedMs: null },
    ...fields,
  };
}

export function aDevice(fields: Partial<Device> = {}): Device {
  return {
    ...{ agentId: "thor-1", state: "joined", keyHash: hash, previousKeyHash: null, publicKey: "x", certificate: null },
    ...{ region: "", tokenId: "token00000", requestedMs: 1_000, sinceMs: 1_000, notAfterMs: 5_000, reason: "" },
    ...fields,
  };
}

/** The real authority, tokens, devices and routes of a controller, behind a port. */
export async function startAuthority(
  options: { store?: Store; stateDir?: string; clock?: { nowMs: number }; passwordsUntilMs?: number } = {},
) {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), "thormesh-authority-"));
  const store = options.store ?? createMemoryStore();
  const nowMs = () => options.clock?.nowMs ?? Date.now();
  const log = createLogger("test", "silent");
  const authority = await openFleetAuthority(stateDir, "hall", Date.now());
  const tokens = new JoinTokens(store, authority.pin, nowMs);
  const revoked: string[] = [];
  const devices = new Devices({
    ...{ fleet: "hall", config: { certificateDays: 90, renewalGraceDays: 30 }, authority, store, tokens, nowMs, log },
    passwordsUntilMs: options.passwordsUntilMs ?? null,
    brokerAddress: () => ({ url: null, port: 8883, tls: true }),
    onRevoked: (agentId) => void revoked.push(agentId),
  });
  await tokens.recover();
  await devices.recover();
  const app = createHttpApp({
    about: { title: "test", description: "test", version: "1" },
    authenticator: createAuthenticator({ apiKeys: [], log }),
    log,
    routes: [identityRoutes({ authority, tokens, devices, seals: noSeals }, new AuditLog({ store, nowMs, log }))],
  });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0, log });
  return {
    ...{ stateDir, store, authority, tokens, devices, revoked, url: server.url, nowMs },
    async stop() {
      await server.stop(0);
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
