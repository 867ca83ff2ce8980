import type { Logger } from "#platform/log.ts";
import type { FleetAccess } from "#protocol/messages.ts";
import type { PeerCertificates } from "../mesh/peer-certificates.ts";
import type { HealthCheck, ServingPeer } from "../serving/ports.ts";
import type { ServingConfig } from "../serving/serving-config.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import { anyOrders, createFleetOrders, type FleetOrders } from "./fleet-orders.ts";
import { identityHealth } from "./identity-health.ts";
import { ordersHealth } from "./orders-health.ts";
import { createPeerCertificates } from "./peer-membership.ts";
import { peersHealth } from "./peers-health.ts";
import { Renewal } from "./renewal.ts";

/** Membership of this device in its fleet by certificate. */
export interface Enrolment {
  /** Orders that are obeyed: signed ones alone, once the device has joined. */
  readonly orders: FleetOrders;
  /** Null: the device has not joined. */
  readonly renewal: Renewal | null;
  /** Certificates by which agents know each other; null: the device has not joined. */
  readonly peers: PeerCertificates | null;
  /** Checks for `/health`; none before the device has joined. */
  checks(): Readonly<Record<string, HealthCheck>>;
}

/** Opens the membership of a device. @param parts.onRenewed called with each new certificate: its first use ends the old one */
export function openEnrolment(parts: {
  readonly joined: DeviceIdentity | null;
  readonly stateDir: string;
  readonly fleet: string;
  readonly memory: Parameters<typeof createFleetOrders>[0]["memory"];
  readonly onRenewed: () => void;
  /** Returns names and addresses by which the device serves with its certificate; null: it does not. */
  readonly hosts: () => readonly string[] | null;
  readonly serving: Pick<ServingConfig, "host" | "tls">;
  /** Returns the other agents that serve. */
  readonly servingPeers: () => readonly ServingPeer[];
  /** Returns what the controller told last of the fleet's devices. */
  readonly told: () => FleetAccess["devices"];
  /** Returns whether the broker turns this device away. */
  readonly isTurnedAway: () => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}): Enrolment {
  const { joined, stateDir, fleet, memory, serving, servingPeers, told, hosts, isTurnedAway, onRenewed, nowMs, log } =
    parts;
  if (joined === null) return { orders: anyOrders, renewal: null, peers: null, checks: () => ({}) };
  const orders = createFleetOrders({ fleet, authority: joined.authority, nowMs, memory });
  // Certificates know the machine's clock alone.
  const renewal = new Renewal({ stateDir, identity: joined, log, hosts, isTurnedAway, onRenewed, nowMs: Date.now });
  const peers = createPeerCertificates({ identity: () => renewal.identity, told, nowMs: Date.now });
  return {
    ...{ orders, renewal, peers },
    checks: () => ({
      identity: identityHealth(renewal.identity, renewal.problem, Date.now()),
      orders: ordersHealth(orders),
      peers: peersHealth(serving, peers, servingPeers()),
    }),
  };
}
