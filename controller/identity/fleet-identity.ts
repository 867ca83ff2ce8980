import { Type } from "@sinclair/typebox";
import { UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { parseTime } from "#platform/parse-time.ts";
import type { BrokerAddress } from "#protocol/identity/join-messages.ts";
import type { IdentityStore, KeptStore } from "../store/store.ts";
import { Devices } from "./devices.ts";
import { authorityFiles, type FleetAuthority, openFleetAuthority } from "./fleet-authority.ts";
import type { IdentityConfig } from "./identity-config.ts";
import { JoinTokens } from "./join-tokens.ts";
import { beginTerm, createOrderSeals, noSeals, type OrderSeals } from "./order-seals.ts";
import { RevokedKeys } from "./revoked-keys.ts";

/** Membership of the fleet: its authority, the tokens to join by, and the devices that did. */
export interface FleetIdentity {
  readonly authority: FleetAuthority;
  readonly tokens: JoinTokens;
  readonly devices: Devices;
  /** Signs documents for agents. */
  readonly seals: OrderSeals;
}

const authorityName = "authority-pin";
const KeptPin = Type.Object({ pin: Type.String() });

/**
 * Controllers that share a store act for each other, so that they need one authority: devices obey no other's orders.
 * @throws UsageError when this one's is another than the fleet's
 */
async function assertSameAuthority(store: KeptStore, pin: string, stateDir: string, isLeading: boolean): Promise<void> {
  const kept = await store.loadKept(authorityName, KeptPin);
  if (kept !== null && kept.pin !== pin)
    throw new UsageError(
      `${stateDir} has another authority than the fleet's: copy ${authorityFiles.key} and ${authorityFiles.certificate} from the state directory of the controller that led first`,
    );
  if (kept === null && isLeading) await store.saveKept(authorityName, { pin });
}

/**
 * Opens what the state directory and the store hold of it.
 * @throws UsageError when the authority's files can't be used, or are not those of the fleet
 */
export async function openFleetIdentity(parts: {
  readonly fleet: string;
  readonly stateDir: string;
  readonly config: IdentityConfig;
  readonly store: IdentityStore & KeptStore;
  readonly brokerAddress: () => BrokerAddress;
  readonly onRevoked: (agentId: string) => void;
  readonly log: Logger;
  /** False for a controller that is on standby: it signs nothing. */
  readonly isLeading: boolean;
  /** True for a store that several controllers use. */
  readonly isShared: boolean;
}): Promise<FleetIdentity> {
  const { fleet, stateDir, store } = parts;
  // Certificates know the machine's clock alone.
  const nowMs = () => Date.now();
  const authority = await openFleetAuthority(stateDir, fleet, nowMs());
  const { isLeading, isShared, log } = parts;
  if (isShared) await assertSameAuthority(store, authority.pin, stateDir, isLeading);
  const tokens = new JoinTokens(store, authority.pin, nowMs);
  const { passwordsUntil } = parts.config;
  const passwordsUntilMs = passwordsUntil === null ? null : parseTime(passwordsUntil);
  const revokedKeys = new RevokedKeys(store, nowMs, parts.log);
  const devices = new Devices({ ...parts, passwordsUntilMs, authority, tokens, revokedKeys, nowMs });
  await tokens.recover();
  await devices.recover();
  const seals = isLeading
    ? createOrderSeals({ key: authority.key, fleet, term: await beginTerm(store, nowMs(), log) })
    : noSeals;
  return { authority, tokens, devices, seals };
}
