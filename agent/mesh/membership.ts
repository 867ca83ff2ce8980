import type { Logger } from "#platform/log.ts";
import type { AgentRole, ControllerState, Desired, Presence } from "#protocol/messages.ts";
import { decideRole, type RoleDecision } from "./decide-role.ts";
import type { DesiredDocument } from "./desired-document.ts";
import { explainRole } from "./explain-role.ts";
import type { Peers } from "./peers.ts";

/** Decision as it is served and published: with its sentence. */
export type ExplainedRole = RoleDecision & { readonly reason: string };

/** This agent's place in its fleet: its instructions, its peers, and the role that follows from both. */
export type Membership = ReturnType<typeof createMembership>;

export function createMembership(parts: {
  readonly configuredRole: AgentRole;
  readonly document: DesiredDocument;
  readonly peers: Peers;
  readonly brokerConnected: () => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}) {
  const { document, peers, log } = parts;
  let controllerOnline = false;
  let controllerAcknowledges = false;
  let controllerRun = "";
  let controllerStoresSinceMs: number | undefined;
  let stopping = false;
  let drainUntilMs: number | null = null;
  const decide = (): ExplainedRole => {
    const decision = decideRole({
      desired: document.current(),
      configuredRole: parts.configuredRole,
      stopping,
      drainedByCommand: drainUntilMs !== null && parts.nowMs() < drainUntilMs,
      brokerConnected: parts.brokerConnected(),
      controllerOnline,
      servingPeerCount: peers.serving().length,
    });
    return { ...decision, reason: explainRole(decision) };
  };
  let decision: ExplainedRole | undefined;
  const current = () => (decision ??= decide());

  return {
    get decision(): ExplainedRole {
      return current();
    },
    get role() {
      return current().role;
    },
    get desired(): Desired | null {
      return document.current();
    },
    get controllerOnline(): boolean {
      return controllerOnline;
    },
    /** True while a controller is online that acknowledges the records it has stored. */
    get controllerAcknowledges(): boolean {
      return controllerOnline && controllerAcknowledges;
    },
    servingPeers: () => peers.serving(),
    /** Agents that take this one's requests. */
    backends: () => peers.backends(),
    /** The role follows only with the next `refresh`, as after all the others below. */
    observePresence: (presence: Presence) => peers.observe(presence),
    /** Returns true for a controller that has just come: another run, or the same one after an absence of its own or of its store. */
    observeController(state: ControllerState): boolean {
      const wasOnline =
        controllerOnline && controllerRun === state.instanceId && controllerStoresSinceMs === state.storesSinceMs;
      controllerOnline = state.status === "online";
      controllerAcknowledges = state.acknowledges === true;
      controllerRun = state.instanceId;
      controllerStoresSinceMs = state.storesSinceMs;
      return controllerOnline && !wasOnline;
    },
    /** Returns false for a document that does not supersede the held one. */
    accept(desired: Desired): boolean {
      const isNew = document.accept(desired);
      if (isNew) drainUntilMs = null;
      return isNew;
    },
    /** Forgets a peer whose retained presence was deleted: it has left the fleet. */
    forgetPeer: (agentId: string) => peers.forget(agentId),
    /** Starts anew to learn the presence of controller and peers, as on each connection. */
    connectionChanged(connected: boolean) {
      if (!connected) controllerOnline = false;
      peers.connectionChanged(connected);
    },
    /** Drains until a newer document comes or `untilMs`: the effect of a command ends by itself. */
    drain(untilMs: number) {
      drainUntilMs = untilMs;
    },
    /** Drains from now on, whatever the documents say. */
    beginStop() {
      stopping = true;
    },
    /** Decides the role anew. Returns true when it changed. */
    refresh(): boolean {
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
