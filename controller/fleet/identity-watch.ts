import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { DecisionStore } from "../store/store.ts";
import { createTwinBoots } from "./twin-boots.ts";

/**
 * Notices identities that are not one device's alone, once each, in the log and on record; what is to be done only people know.
 * - A device that serves another fleet of the same broker as well (an agent of that name at the same host): both controllers count on all of its
 *   capacity, and each sets its power mode.
 * - Two devices that go by one name: each takes the other's connection away.
 */
export interface IdentityWatch {
  /** Subscribes to the presence of all fleets at the broker. */
  start(): void;
}

export interface IdentityWatchParts {
  readonly fleetName: string;
  readonly store: Pick<DecisionStore, "insertDecision">;
  readonly broker: Pick<Broker, "subscribe">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** No more devices than this are remembered of all fleets together, and no more fleets of a device. */
const mostSeen = 20_000;
const mostFleets = 8;
/** Others can make up names without end: so many are put on record in an hour, and the rest is counted in the log. */
const mostNotesAnHour = 20;
const hourMs = 3_600_000;

function hostOf(url: string | undefined): string | null {
  return URL.canParse(url ?? "") ? new URL(url as string).hostname : null;
}

export function createIdentityWatch(parts: IdentityWatchParts): IdentityWatch {
  const { fleetName, store, broker, nowMs, log } = parts;
  /** Hosts of the agents that are online, by agent and fleet. */
  const seen = new Map<string, Map<string, string>>();
  const twins = createTwinBoots();
  const noted = new Set<string>();

  const counted = createCountedLog(log, Date.now);
  let notesOfHour: { readonly startMs: number; count: number } = { startMs: 0, count: 0 };

  const note = async (rule: string, agentId: string, reason: string, inputs: Readonly<Record<string, string>>) => {
    const key = [rule, agentId, inputs["otherFleet"] ?? ""].join("/");
    if (noted.has(key)) return;
    if (Math.abs(nowMs() - notesOfHour.startMs) >= hourMs) notesOfHour = { startMs: nowMs(), count: 0 };
    if (notesOfHour.count >= mostNotesAnHour) {
      counted.note("too many duplicate identities to record each one", { agentId, ...inputs, reason });
      return;
    }
    notesOfHour.count += 1;
    if (noted.size < mostSeen) noted.add(key);
    log.warn({ agentId, ...inputs }, reason);
    await store.insertDecision({
      atMs: nowMs(),
      kind: "note",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs,
      outcome: { activated: [], stoodBy: [], skipped: [] },
    });
  };

  const lookForTwin = async ({ agentId, bootId, url }: Presence) => {
    const otherUrl = twins.seen(agentId, bootId, url);
    if (otherUrl === null) return;
    const reason = `two agents go by this name, at ${url} and at ${otherUrl}, and each takes the other's connection: give one of them another id`;
    await note("same-name-twice", agentId, reason, { url, otherUrl });
  };

  const lookForFleets = async (itsFleet: string, { agentId, status, url }: Presence) => {
    const hosts = seen.get(agentId) ?? new Map<string, string>();
    const host = status === "online" ? hostOf(url) : null;
    if (host === null) hosts.delete(itsFleet);
    else if ((seen.size < mostSeen || seen.has(agentId)) && (hosts.size < mostFleets || hosts.has(itsFleet)))
      seen.set(agentId, hosts.set(itsFleet, host));
    if (hosts.size === 0) seen.delete(agentId);
    const own = hosts.get(fleetName);
    for (const [otherFleet, otherHost] of hosts) {
      if (otherFleet === fleetName || own !== otherHost) continue;
      const reason = `the device at ${otherHost} serves fleet ${otherFleet} as well; both count on all of its capacity: take it out of one`;
      await note("in-two-fleets", agentId, reason, { otherFleet, host: otherHost });
    }
  };

  return {
    start() {
      broker.subscribe(agentTopic("+", "+", "presence"), async ({ topic, payload }) => {
        const itsFleet = topic.split("/")[2] ?? "";
        const agentId = parseAgentTopic(itsFleet, topic)?.agentId;
        const decoded = decodeMessage(Presence, payload);
        if (!decoded.ok || decoded.message.agentId !== agentId) return;
        const { message } = decoded;
        if (itsFleet === fleetName && message.status === "online") await lookForTwin(message);
        await lookForFleets(itsFleet, message);
      });
    },
  };
}
