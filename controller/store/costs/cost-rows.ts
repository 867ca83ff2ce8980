import type { Static } from "@sinclair/typebox";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { amount, bounds, text } from "#protocol/bounds.ts";
import type { MinuteRecord } from "../store.ts";

/** Exact amount: millionths of a millionth of the currency's unit, as controller/cost/money has it. */
type Money = bigint;

/** Cost of a tenant's use of a model on a device. */
export interface RatedWork {
  readonly tenant: string;
  readonly model: string;
  /** Energy above idle, device time, and the price of offers. */
  readonly used: Money;
  readonly offers: Money;
  readonly activeKwh: number;
  /** Part of the device's time in which it computed: of several computations at once, the time passes once. */
  readonly computeMs: number;
  readonly requests: number;
  readonly tokens: number;
}

/** Cost of a device for a time. */
export interface RatedDevice {
  readonly energy: Money;
  readonly owning: Money;
  readonly energyKwh: number;
  readonly observedMs: number;
  readonly measuredMs: number;
  readonly computeMs: number;
}

/** Cost lines of one minute of an agent. */
export interface RatedMinute {
  readonly region: string;
  readonly device: RatedDevice;
  readonly work: readonly RatedWork[];
  /** Names the prices of the whole hour, so that a change of price is seen. */
  readonly priceKey: string;
  /** Things without a price in the catalogue, as JSON; empty: there is none. */
  readonly gaps: string;
}

/** Minute on record that is to be rated. */
export type UnratedMinute = Pick<MinuteRecord, "agentId" | "role" | "traffic" | "power">;
export type RateMinute = (minute: UnratedMinute) => RatedMinute;

export interface AgentHour {
  readonly agentId: string;
  readonly hourStartMs: number;
}

/** Sums of cost lines: of an agent, or of all in a region (agentId empty). */
export interface DeviceCosts extends RatedDevice {
  readonly agentId: string;
  readonly region: string;
}

export interface WorkCosts extends RatedWork {
  readonly agentId: string;
  readonly region: string;
  /** The one agent that did it all; empty: several did. */
  readonly onlyAgent: string;
}

/** Costs to be read: of lines of one length that start in [startMs, endMs). */
export interface CostQuery {
  readonly span: "hour" | "day";
  readonly startMs: number;
  readonly endMs: number;
  /**
   * agents: by agent; fleet: of all agents together as they were rolled up; together: the same, added up now from the agents' lines.
   */
  readonly of: "agents" | "fleet" | "together";
  /** With `of: "agents"`: only the lines of these. */
  readonly agents?: readonly string[];
}

/** Sum of what was used of an agent, as far as is needed to tell the dearest. */
export interface UsedOfAgent {
  readonly agentId: string;
  /** Device's time and energy, and offers: millionths of the currency's unit. */
  readonly micro: number;
}

/** Use that counts: of a region, a tenant, a model; null: of all. */
export interface UseOf {
  readonly region: string | null;
  readonly tenant: string | null;
  readonly model: string | null;
}

/** Days and hours that have been rolled up, or not since they changed. */
export interface RollUps {
  /** Days with lines of agents by day. */
  readonly agentDays: ReadonlySet<number>;
  /** Of them, those whose lines of the fleet are as of now. */
  readonly fleetDays: ReadonlySet<number>;
  /** Hours whose lines of the fleet are not as of now. */
  readonly staleHours: ReadonlySet<number>;
  /** The oldest hour or day with any line; null: there is none. */
  readonly oldestMs: number | null;
  /** The oldest hour with lines of agents; null: there is none. */
  readonly oldestHourMs: number | null;
  /** The oldest minute on record; null: there is none. */
  readonly oldestMinuteMs: number | null;
}

/** Facts about an agent that its costs depend on. */
export const AgentFacts = strictObject({
  region: text(64),
  board: text(128),
  tariffUsdPerKwh: orNull(amount(bounds.tariffUsdPerKwh)),
  amortisationUsdPerHour: orNull(amount(bounds.usdPerHour)),
});
export type AgentFacts = Static<typeof AgentFacts>;

/** Facts that hold from a time on. */
export interface AgentFactsRow {
  readonly agentId: string;
  readonly fromMs: number;
  readonly facts: AgentFacts;
}

/** Days and hours that are rolled up, and what is read of cost lines. */
export interface CostRolls {
  /** Tells what is rolled up in [startMs, endMs). */
  rollUps(startMs: number, endMs: number): Promise<RollUps>;
  /** Adds up the agents' lines of an hour for the fleet. */
  rollUpHour(hourStartMs: number): Promise<void>;
  /** Lists days with lines by hour that end by `endedByMs` and are not rolled up, or not as of now; oldest first. */
  daysToRollUp(endedByMs: number): Promise<number[]>;
  rollUpDay(dayStartMs: number): Promise<void>;
  deviceCosts(query: CostQuery): Promise<DeviceCosts[]>;
  workCosts(query: CostQuery): Promise<WorkCosts[]>;
  /** Lists the agents with lines in one hour or day, which starts at `startMs`. */
  agentsWithLines(span: CostQuery["span"], startMs: number): Promise<string[]>;
  /** Sums of what was used of each agent in one hour or day, which starts at `startMs`. */
  usedByAgent(span: CostQuery["span"], startMs: number, of: UseOf): Promise<UsedOfAgent[]>;
  /** Agent-minutes without a price in hours that start in [startMs, endMs), by what lacks one (JSON). */
  costGaps(startMs: number, endMs: number): Promise<{ readonly gaps: string; readonly minutes: number }[]>;
  /** Removes lines of agents by hour and by day, and of the fleet by hour, that start before these times; hours only of days that are rolled up. */
  pruneCosts(before: { readonly hourMs: number; readonly dayMs: number; readonly fleetHourMs: number }): Promise<void>;
  /** Saves facts of an agent, in place of those that hold from later on. */
  saveAgentFacts(row: AgentFactsRow): Promise<void>;
  loadAgentFacts(): Promise<AgentFactsRow[]>;
}

/**
 * Cost lines of agents by hour (added to as minutes are stored, in the same transaction), by day, and of the fleet. An hour is rated again from its
 * minutes as a whole, so a repeat changes nothing.
 */
export interface CostStore extends CostRolls {
  /**
   * Replaces the lines of an agent's hour by those of its minutes on record, and takes it off the list of those to be rated.
   * kept: not all of its minutes are on record any more, so the lines stay as they are.
   */
  rateHourAgain(hour: AgentHour, rate: RateMinute): Promise<"rated" | "kept">;
  markUnrated(hours: readonly AgentHour[]): Promise<void>;
  /** Marks all hours of an agent that have minutes on record. */
  markAgentUnrated(agentId: string): Promise<void>;
  /** Lists up to `limit` hours that are to be rated and start in [startMs, endMs), newest first. */
  unratedHours(startMs: number, endMs: number, limit: number): Promise<AgentHour[]>;
  /** Marks the next older hour of minutes that were stored before there were cost lines; false when there is none. */
  markOlderHour(): Promise<boolean>;
  /** Lists up to `limit` hours with the prices they were rated by (empty: by several), in their order after the given one. */
  ratedHours(after: AgentHour | null, limit: number): Promise<(AgentHour & { readonly priceKey: string })[]>;
}
