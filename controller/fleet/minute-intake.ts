import { describeError } from "#platform/errors.ts";
import type { CountedLog } from "#platform/log.ts";
import { demandOf } from "#protocol/demand.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { RatedMinute } from "../store/costs/cost-rows.ts";
import type { MinuteStore, SetAsideStore } from "../store/store.ts";
import { type AgentState, maxAheadMs, observeMinute, type RebirthCause } from "./agent-state.ts";
import { aheadOfClock, implausibleMinute } from "./check-plausible.ts";
import { clockSkewMs, explainSkew, observeClock, startByOwnClock } from "./clock-skew.ts";
import type { Fleet } from "./fleet.ts";
import { createHourBudget, type HourBudget } from "./hour-budget.ts";
import type { IngestCounts } from "./ingest-counts.ts";

export type MinuteOutcome =
  | "accepted"
  | "duplicate"
  /** The name of the minute belongs to another one: kept beside it. */
  | "conflict"
  /** Implausible: kept, but not as part of the record. */
  | "set-aside";

export interface MinuteIntakeParts {
  readonly fleet: Fleet;
  readonly store: MinuteStore & SetAsideStore;
  readonly counts: IngestCounts;
  readonly minutesKeptMs: number;
  /** Usual capacity of an agent, texts per second: figures out of all proportion to it are implausible. */
  readonly usualCapacityQps: number;
  readonly nowMs: () => number;
  readonly counted: CountedLog;
  /** Makes the cost lines of a minute. Default: they are left to be made. */
  readonly rate?: (data: MinuteData) => RatedMinute;
  /** Called with each minute that is new to the store. */
  readonly onMinute: (data: MinuteData, agent: AgentState) => void;
  readonly onRebirth: (agentId: string, causes: readonly RebirthCause[]) => void;
}

/** Maximum minutes that are kept as implausible, of an agent and of all together. */
export const maxSetAside = { ofAgent: 100, inAll: 5000 } as const;

/** Takes in minutes: judges, stores and counts them, in this order. A minute that can't be stored throws and changes nothing. */
export class MinuteIntake {
  readonly #parts: MinuteIntakeParts;
  readonly #budget: HourBudget;
  #setAsideSincePrune = 0;

  constructor(parts: MinuteIntakeParts) {
    this.#parts = parts;
    this.#budget = createHourBudget(parts.store);
  }

  /** @param bytes of the message. */
  async take(data: MinuteData, bytes: number, known: AgentState): Promise<MinuteOutcome> {
    const { counts, counted } = this.#parts;
    const before = observeClock(known, data, this.#parts.nowMs());
    if (clockSkewMs(before) !== 0 && clockSkewMs(known) === 0)
      counted.note("an agent's clock is wrong", { agentId: data.agentId, reason: explainSkew([before]) ?? "" });
    try {
      const outcome = await this.#keep(data, bytes, before);
      counts.noteStored(null);
      return outcome;
    } catch (error) {
      counts.noteStored(describeError(error));
      throw error;
    }
  }

  /** Takes in minutes that were ahead of this controller's clock and no longer are, since the clock was set. */
  async reconsider(onOutcome: (outcome: MinuteOutcome) => void): Promise<void> {
    const { store, fleet, nowMs } = this.#parts;
    await store.takeSetAside(aheadOfClock, nowMs() + maxAheadMs, async (data) => {
      const before = fleet.get(data.agentId);
      // The agent has been retired since: only its record counts.
      if (before === undefined) await store.insertMinute(data, "", this.#parts.rate?.(data));
      else onOutcome(await this.take({ ...data, historical: true }, JSON.stringify(data).length, before));
    });
  }

  forget(agentId: string): void {
    this.#budget.forget(agentId);
  }

  async #keep(data: MinuteData, bytes: number, before: AgentState): Promise<MinuteOutcome> {
    const { fleet, store, counts, counted, minutesKeptMs, usualCapacityQps: usualQps } = this.#parts;
    const { agentId, bootId, seq } = data;
    const nowMs = this.#parts.nowMs();
    const fault = implausibleMinute(data, { birth: before.birth, usualQps, nowMs, oldestMs: nowMs - minutesKeptMs });
    if (fault !== null) return this.#setAside(data, before, fault);
    const left = await this.#budget.look(data, bytes);
    if (left.excess !== null) return this.#setAside(data, before, left.excess);
    const kept = await store.insertMinute(
      data,
      before.birth?.region ?? before.presence?.region ?? "",
      this.#parts.rate?.(data),
    );
    if (kept === "repeat") {
      fleet.put({ ...before, lastHeardMs: nowMs });
      return "duplicate";
    }
    if (kept !== "new") {
      const reason =
        kept === "contradicts"
          ? "this minute is already on record with different figures"
          : "a different minute with the same id is on record; both are kept";
      counts.note(agentId, "conflicts", reason, nowMs);
      const kind = "two different records have the same id: someone may be impersonating this agent";
      counted.note(kind, { agentId, bootId, seq, reason });
      if (kept === "contradicts") {
        await this.#setAside(data, before, reason);
        return "conflict";
      }
    }
    left.spend();
    const { minuteStartMs } = data.traffic;
    // A live minute is one of now, whatever the agent's clock says.
    fleet.traffic.add(data.historical ? minuteStartMs : startByOwnClock(before, minuteStartMs), demandOf(data.traffic));
    const { state, rebirth } = observeMinute(before, data, nowMs);
    fleet.put(state);
    if (rebirth.length > 0) this.#parts.onRebirth(agentId, rebirth);
    this.#parts.onMinute(data, state);
    return kept === "new" ? "accepted" : "conflict";
  }

  /** Keeps a minute beside the record: it counts neither as traffic nor as cost, and is not lost either. */
  async #setAside(data: MinuteData, before: AgentState, reason: string): Promise<MinuteOutcome> {
    const { fleet, store, counts, counted } = this.#parts;
    const { agentId, bootId, seq } = data;
    const nowMs = this.#parts.nowMs();
    await store.setAside(data, reason, nowMs, maxSetAside.ofAgent);
    this.#setAsideSincePrune += 1;
    if (this.#setAsideSincePrune >= maxSetAside.ofAgent) {
      this.#setAsideSincePrune = 0;
      await store.pruneSetAside(Number.NEGATIVE_INFINITY, maxSetAside.inAll);
    }
    const isNext = bootId === before.bootId && seq === before.lastSeq + 1;
    const skewMs = clockSkewMs(before);
    if (reason.startsWith(aheadOfClock) && skewMs > 0 && !data.historical) {
      // Not on record, since its time is wrong, but its traffic is that of now.
      const { state } = observeMinute(before, data, nowMs + skewMs);
      fleet.put({ ...state, lastHeardMs: nowMs });
      fleet.traffic.add(startByOwnClock(before, data.traffic.minuteStartMs), demandOf(data.traffic));
    } else fleet.put({ ...before, lastHeardMs: nowMs, lastSeq: isNext ? seq : before.lastSeq });
    counts.note(agentId, "setAside", reason, nowMs);
    counted.note("an implausible minute was set aside and not counted", { agentId, bootId, seq, reason });
    return "set-aside";
  }
}
