import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { DecisionStore } from "../store/store.ts";

/**
 * Notices devices that serve another fleet of the same broker as well: an agent of the same name at the same host. Both controllers would count on
 * all of its capacity, and each would set its power mode. It is said, in the log and on record, once; whose it is only people know.
 */
export interface FleetsOfDevice {
  /** Subscribes to the presence of all fleets at the broker. */
  start(): void;
}

export interface FleetsOfDeviceParts {
  readonly fleetName: string;
  readonly store: Pick<DecisionStore, "insertDecision">;
  readonly broker: Pick<Broker, "subscribe">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** No more devices than this are remembered of all fleets together. */
const mostSeen = 20_000;

function hostOf(url: string | undefined): string | null {
  return URL.canParse(url ?? "") ? new URL(url as string).hostname : null;
}

export function createFleetsOfDevice(parts: FleetsOfDeviceParts): FleetsOfDevice {
  const { fleetName, store, broker, nowMs, log } = parts;
  /** Hosts of the agents that are online, by agent and fleet. */
  const seen = new Map<string, Map<string, string>>();
  const noted = new Set<string>();

  const note = async (agentId: string, otherFleet: string, host: string) => {
    const key = `${otherFleet}/${agentId}`;
    if (noted.has(key)) return;
    noted.add(key);
    const reason = `${agentId}: the device at ${host} serves fleet ${otherFleet} as well; both count on all of its capacity: take it out of one`;
    log.warn({ agentId, otherFleet, host }, reason);
    await store.insertDecision({
      atMs: nowMs(),
      kind: "capacity",
      rule: "in-two-fleets",
      reason,
      agents: [agentId],
      inputs: { otherFleet, host },
      outcome: { activated: [], stoodBy: [], skipped: [] },
    });
  };

  return {
    start() {
      broker.subscribe(agentTopic("+", "+", "presence"), async ({ topic, payload }) => {
        const itsFleet = topic.split("/")[2] ?? "";
        const agentId = parseAgentTopic(itsFleet, topic)?.agentId;
        const decoded = decodeMessage(Presence, payload);
        if (agentId === undefined || !decoded.ok) return;
        const hosts = seen.get(agentId) ?? new Map<string, string>();
        const host = decoded.message.status === "online" ? hostOf(decoded.message.url) : null;
        if (host === null) hosts.delete(itsFleet);
        else if (seen.size < mostSeen || seen.has(agentId)) seen.set(agentId, hosts.set(itsFleet, host));
        if (hosts.size === 0) seen.delete(agentId);
        const own = hosts.get(fleetName);
        for (const [otherFleet, otherHost] of hosts) {
          if (otherFleet !== fleetName && own === otherHost) await note(agentId, otherFleet, otherHost);
        }
      });
    },
  };
}
