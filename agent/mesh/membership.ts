import type { RoleView } from "#agent/serving/ports.ts";
import type { Logger } from "#platform/log.ts";
import type { AgentRole, ControllerState, Desired, Presence } from "#protocol/messages.ts";
import { decideRole, type RoleDecision } from "./decide-role.ts";
import type { DesiredDocument } from "./desired-document.ts";
import type { Peers } from "./peers.ts";

/** This agent's place in its fleet: what it was told, what it sees of the others, and the role that follows from both. */
export interface Membership extends RoleView {
  readonly decision: RoleDecision;
  readonly desired: Desired | null;
  readonly controllerOnline: boolean;
  /** Each of these takes something in; `refresh` then says whether another role follows. */
  observePresence(presence: Presence): void;
  observeController(state: ControllerState): void;
  /** False when the document is not newer than the one that is held. */
  accept(document: Desired): boolean;
  /** A peer's presence was taken away: it is no longer of the fleet. */
  forgetPeer(agentId: string): void;
  /** Presence of controller and peers is learnt anew on each connection. */
  connectionChanged(connected: boolean): void;
  /** Drains until a newer document comes, at the latest until `untilMs`: a command leaves no state behind that nobody ends. */
  drain(untilMs: number): void;
  /** From now on the agent drains, whatever it is told. */
  beginStop(): void;
  /** Decides the role anew; true when it is another than before. */
  refresh(): boolean;
}

export function createMembership(parts: {
  readonly configuredRole: AgentRole;
  readonly document: DesiredDocument;
  readonly peers: Peers;
  readonly brokerConnected: () => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}): Membership {
  const { document, peers, log } = parts;
  let controllerOnline = false;
  let stopping = false;
  let drainUntilMs: number | null = null;
  const decide = () =>
    decideRole({
      desired: document.current(),
      configuredRole: parts.configuredRole,
      stopping,
      drainedByCommand: drainUntilMs !== null && parts.nowMs() < drainUntilMs,
      brokerConnected: parts.brokerConnected(),
      controllerOnline,
      servingPeerCount: peers.serving().length,
    });
  let decision: RoleDecision | undefined;
  const current = () => (decision ??= decide());

  return {
    get decision() {
      return current();
    },
    get role() {
      return current().role;
    },
    get desired() {
      return document.current();
    },
    get controllerOnline() {
      return controllerOnline;
    },
    servingPeers: () => peers.serving(),
    observePresence: (presence) => peers.observe(presence),
    observeController(state) {
      controllerOnline = state.status === "online";
    },
    accept(desired) {
      const isNew = document.accept(desired);
      if (isNew) drainUntilMs = null;
      return isNew;
    },
    forgetPeer: (agentId) => peers.forget(agentId),
    connectionChanged(connected) {
      if (!connected) controllerOnline = false;
      peers.connectionChanged(connected);
    },
    drain(untilMs) {
      drainUntilMs = untilMs;
    },
    beginStop() {
      stopping = true;
    },
    refresh() {
      const before = current();
      decision = decide();
      if (decision.role === before.role) return false;
      log.info(
        { from: before.role, to: decision.role, source: decision.source, reason: decision.reason },
        "role changes",
      );
      return true;
    },
  };
}
