import { type CountedLog, createCountedLog, type Logger } from "#platform/log.ts";
import { hourMs } from "#platform/time.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage } from "#protocol/codec.ts";
import { Presence } from "#protocol/messages.ts";
import { agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import { nothingDone } from "../store/decision-record.ts";
import type { DecisionStore } from "../store/store.ts";

export interface IdentityWatchParts {
  readonly fleetName: string;
  readonly store: Pick<DecisionStore, "insertDecision">;
  readonly broker: Pick<Broker, "subscribe">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Bounds of the memory: devices of all fleets together, fleets of a device, boots of an agent. */
const maxSeen = 20_000;
const maxFleets = 8;
const maxBoots = 4;
/** Maximum notes on record in an hour, as names can be made up without end; further ones are counted in the log. */
const maxNotesAnHour = 20;

function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null;
}

/**
 * Notices identities that belong to more than one device, and notes each once in the log and on record, for people to act on.
 * - A device that serves another fleet of the same broker as well (an agent of that name at the same host): both controllers count on all of its
 *   capacity, and each sets its power mode.
 * - Two devices under one name: each takes the other's connection away.
 */
export class IdentityWatch {
  readonly #parts: IdentityWatchParts;
  readonly #counted: CountedLog;
  /** Hosts of the agents that are online, by agent and fleet. */
  readonly #hosts = new Map<string, Map<string, string>>();
  /** Boots of this fleet's agents, newest first. */
  readonly #boots = new Map<string, { readonly bootId: string; readonly url: string }[]>();
  readonly #noted = new Set<string>();
  #notesOfHour = { startMs: 0, count: 0 };

  constructor(parts: IdentityWatchParts) {
    this.#parts = parts;
    this.#counted = createCountedLog(parts.log, Date.now);
  }

  /** Subscribes to the presence of all fleets at the broker. */
  start(): void {
    this.#parts.broker.subscribe(agentTopic("+", "+", "presence"), async ({ topic, payload }) => {
      // mutate: equivalent because the filter has as many levels
      const fleet = topic.split("/")[2] ?? "";
      const decoded = decodeMessage(Presence, payload);
      if (!decoded.ok || decoded.message.agentId !== parseAgentTopic(fleet, topic)?.agentId) return;
      if (fleet === this.#parts.fleetName && decoded.message.status === "online")
        await this.#lookForTwin(decoded.message);
      await this.#lookForFleets(fleet, decoded.message);
    });
  }

  /** An earlier boot never comes back after a later one, unless two processes use one name. */
  async #lookForTwin({ agentId, bootId, url }: Presence): Promise<void> {
    const known = this.#boots.get(agentId) ?? [];
    const [newest] = known;
    if (newest?.bootId === bootId) return;
    const isBack = known.some((each) => each.bootId === bootId);
    if (this.#boots.size < maxSeen || this.#boots.has(agentId)) {
      const others = known.filter((each) => each.bootId !== bootId);
      this.#boots.set(agentId, [{ bootId, url }, ...others].slice(0, maxBoots));
    }
    if (!isBack || newest === undefined) return;
    const otherUrl = newest.url;
    const reason = `two agents use this name, at ${url} and at ${otherUrl}, and each takes the other's connection: give one of them another id or, if one uses a copy of the other's certificate, run thormesh agents revoke ${agentId}`;
    await this.#note("same-name-twice", agentId, reason, { url, otherUrl });
  }

  async #lookForFleets(fleet: string, { agentId, status, url }: Presence): Promise<void> {
    const hosts = this.#hosts.get(agentId) ?? new Map<string, string>();
    const host = status === "online" ? hostOf(url) : null;
    if (host === null) hosts.delete(fleet);
    else if ((this.#hosts.size < maxSeen || this.#hosts.has(agentId)) && (hosts.size < maxFleets || hosts.has(fleet)))
      this.#hosts.set(agentId, hosts.set(fleet, host));
    if (hosts.size === 0) this.#hosts.delete(agentId);
    const own = hosts.get(this.#parts.fleetName);
    for (const [otherFleet, otherHost] of hosts) {
      if (otherFleet === this.#parts.fleetName || own !== otherHost) continue;
      const reason = `the device at ${otherHost} also serves fleet ${otherFleet}; each counts on its full capacity: remove it from one`;
      await this.#note("in-two-fleets", agentId, reason, { otherFleet, host: otherHost });
    }
  }

  async #note(rule: string, agentId: string, reason: string, inputs: Readonly<Record<string, string>>): Promise<void> {
    const { store, log } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const key = [rule, agentId, inputs["otherFleet"] ?? ""].join("/");
    if (this.#noted.has(key)) return;
    if (Math.abs(nowMs - this.#notesOfHour.startMs) >= hourMs) this.#notesOfHour = { startMs: nowMs, count: 0 };
    if (this.#notesOfHour.count >= maxNotesAnHour) {
      this.#counted.note("too many duplicate identities to record each one", { agentId, ...inputs, reason });
      return;
    }
    this.#notesOfHour.count += 1;
    if (this.#noted.size < maxSeen) this.#noted.add(key);
    log.warn({ agentId, ...inputs }, reason);
    await store.insertDecision({
      atMs: nowMs,
      kind: "note",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs,
      outcome: nothingDone,
    });
  }
}
