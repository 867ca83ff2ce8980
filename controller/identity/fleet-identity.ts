import type { Logger } from "#platform/log.ts";
import { parseTime } from "#platform/parse-time.ts";
import type { BrokerAddress } from "#protocol/identity/join-messages.ts";
import type { IdentityStore, KeptStore } from "../store/store.ts";
import { Devices } from "./devices.ts";
import { type FleetAuthority, openFleetAuthority } from "./fleet-authority.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { JoinTokens } from "./join-tokens.ts";
import { beginTerm, createOrderSeals, type OrderSeals } from "./order-seals.ts";
import { RevokedKeys } from "./revoked-keys.ts";

/** Membership of the fleet: its authority, the tokens to join by, and the devices that did. */
export interface FleetIdentity {
  readonly authority: FleetAuthority;
  readonly tokens: JoinTokens;
  readonly devices: Devices;
  /** Signs what agents are told. */
  readonly seals: OrderSeals;
}

/** Opens what the state directory and the store hold of it. Only the holder of the store's lease may call it. */
export async function openFleetIdentity(parts: {
  readonly fleet: string;
  readonly stateDir: string;
  readonly config: IdentityConfig;
  readonly store: IdentityStore & KeptStore;
  readonly brokerAddress: () => BrokerAddress;
  readonly onRevoked: (agentId: string) => void;
  readonly log: Logger;
}): Promise<FleetIdentity> {
  const { fleet, stateDir, store } = parts;
  // Certificates know the machine's clock alone.
  const nowMs = () => Date.now();
  const authority = await openFleetAuthority(stateDir, fleet, nowMs());
  const tokens = new JoinTokens(store, authority.pin, nowMs);
  const { passwordsUntil } = parts.config;
  const passwordsUntilMs = passwordsUntil === null ? null : parseTime(passwordsUntil);
  const revokedKeys = new RevokedKeys(store, nowMs, parts.log);
  const devices = new Devices({ ...parts, passwordsUntilMs, authority, tokens, revokedKeys, nowMs });
  await tokens.recover();
  await devices.recover();
  const seals = createOrderSeals({ key: authority.key, fleet, term: await beginTerm(store, nowMs(), parts.log) });
  return { authority, tokens, devices, seals };
}
