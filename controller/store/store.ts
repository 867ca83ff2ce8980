import type { AgentRole, Birth, Desired, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import type { DecisionOutcome, DecisionRecord, NewDecision } from "./decision-record.ts";
import type { UnreadableRows } from "./row-quarantine.ts";

/** What is kept of an agent between two runs of the controller. */
export interface AgentRecord {
  readonly agentId: string;
  readonly presence: Presence | null;
  readonly birth: Birth | null;
  readonly reported: Reported | null;
  readonly lastHeardMs: number;
}

/** An operator's word that comes before the controller's own decisions, until it expires. */
export interface Override {
  readonly agentId: string;
  readonly role: AgentRole | null;
  readonly powerMode: string | null;
  /** The most capable mode that is allowed; null when all are. */
  readonly powerModeCap: string | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface AgentStore {
  saveAgent(agent: AgentRecord): Promise<void>;
  /** Of an agent that has left the fleet for good; its minutes stay. */
  removeAgent(agentId: string): Promise<void>;
  loadAgents(): Promise<AgentRecord[]>;
}

export interface DesiredStore {
  saveDesired(document: Desired): Promise<void>;
  loadDesired(): Promise<Desired[]>;
  removeDesired(agentId: string): Promise<void>;
  saveOverride(override: Override): Promise<void>;
  removeOverride(agentId: string): Promise<void>;
  /** Expired ones included: whoever loads them says what their end means. */
  loadOverrides(): Promise<Override[]>;
}

export type MinuteRecord = Pick<
  MinuteData,
  "agentId" | "bootId" | "seq" | "historical" | "role" | "traffic" | "power" | "forecast"
>;

/** Texts of all agents together in one minute. */
export interface FleetMinute {
  readonly minuteStartMs: number;
  readonly texts: number;
}

/** Outcome of storing a minute. */
export type MinuteOutcome =
  | "new"
  /** The same is kept already. */
  | "repeat"
  /** Another minute is kept under this name: this one is kept beside it. */
  | "kept-beside"
  /** Other figures are kept of the very same minute: these are not. */
  | "contradicts";

/** Stored rows and bytes of an agent for one hour. */
export interface HourUse {
  readonly rows: number;
  readonly bytes: number;
  readonly observedMs: number;
  readonly measuredMs: number;
}

/** A minute's record that is neither believed nor thrown away. */
export interface SetAsideMinute {
  readonly agentId: string;
  readonly bootId: string;
  readonly seq: number;
  readonly atMs: number;
  readonly reason: string;
}

export interface SetAsideStore {
  /** Keeps a record as it came beside the minutes; the same one once. Of an agent the newest `keepMost` are kept. */
  setAside(data: MinuteData, reason: string, atMs: number, keepMost: number): Promise<void>;
  /** Hands those over whose reason begins so and that start by `startedByMs`, the oldest first; what `take` has resolved for is gone. */
  takeSetAside(reasonStart: string, startedByMs: number, take: (data: MinuteData) => Promise<void>): Promise<void>;
  /** Of an agent, newest first. */
  listSetAside(agentId: string, limit: number): Promise<SetAsideMinute[]>;
  /** Removes what came before `beforeMs`, and of the rest all but the newest `keepMost`; says how many. */
  pruneSetAside(beforeMs: number, keepMost: number): Promise<number>;
}

export interface MinuteStore {
  /** Keeps a minute once and for all under (agentId, bootId, seq). */
  insertMinute(data: MinuteData): Promise<MinuteOutcome>;
  /** Stored rows and bytes of the minutes that start in the hour from `hourStartMs`. */
  hourUse(agentId: string, hourStartMs: number): Promise<HourUse>;
  hasMinutes(agentId: string): Promise<boolean>;
  /** Minutes that start in [startMs, endMs), by time; of one agent when `agentId` is given. */
  minutes(startMs: number, endMs: number, agentId?: string): AsyncIterable<MinuteRecord>;
  /** Totals of the minutes that start in [startMs, endMs), by time; minutes without any record are absent. */
  fleetMinutes(startMs: number, endMs: number): Promise<FleetMinute[]>;
  /** The highest seq that is kept of a boot; null when none is. */
  lastSeq(agentId: string, bootId: string): Promise<number | null>;
  /** Removes minutes that start before `beforeMs`, or a day and more ahead of `nowMs` and of the last decision; says how many. */
  pruneMinutes(beforeMs: number, nowMs: number): Promise<number>;
  /** Removes the oldest minutes until what is kept takes no more than `maxBytes`; says how many. */
  pruneToSize(maxBytes: number): Promise<number>;
  /** Disk space of the database's rows, without free pages in its file. */
  usedBytes(): number;
}

export interface DecisionFilter {
  readonly kind?: string;
  /** Decisions that activated this agent, put it on standby, or were about it. */
  readonly agentId?: string;
  /** Without holds. */
  readonly changesOnly?: boolean;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
}

export interface DecisionStore {
  /** Keeps a decision and resolves with its id; ids count up. */
  insertDecision(decision: NewDecision): Promise<number>;
  /** Says that a decision was made again with the same result. */
  repeatDecision(id: number, lastAtMs: number): Promise<void>;
  /** Replaces what came of a decision, as more is known. Of a decision that is no longer kept: nothing. */
  updateOutcome(id: number, outcome: DecisionOutcome): Promise<void>;
  /** Newest first. */
  decisions(filter: DecisionFilter): Promise<DecisionRecord[]>;
  decision(id: number): Promise<DecisionRecord | null>;
  /**
   * Removes decisions last made before `beforeMs`, and of the others all but the newest `keepMost`; of notes all but the newest `keepNotes`,
   * so that they push out no decision. Says how many.
   */
  pruneDecisions(beforeMs: number, keepMost: number, keepNotes: number): Promise<number>;
}

/** An operator's word that nothing is to change. */
export interface Freeze {
  readonly reason: string;
  readonly sinceMs: number;
  /** Null: until it is ended. */
  readonly untilMs: number | null;
}

/** Which controller acts on this store. Times are the machine's, not a clock's that may run faster. */
export interface Lease {
  readonly holder: string;
  /** For people: process and machine. */
  readonly about: string;
  readonly expiresRealMs: number;
}

export interface SafetyStore {
  saveFreeze(freeze: Freeze): Promise<void>;
  removeFreeze(): Promise<void>;
  /** An expired one included. */
  loadFreeze(): Promise<Freeze | null>;
  /** Takes or renews the lease; false when another holder's has not expired. */
  takeLease(wish: { holder: string; about: string; realNowMs: number; forMs: number }): Promise<boolean>;
  /** Gives it back, if it is this holder's. */
  giveUpLease(holder: string): Promise<void>;
  lease(): Promise<Lease | null>;
}

export interface Store extends AgentStore, DesiredStore, MinuteStore, SetAsideStore, DecisionStore, SafetyStore {
  /** Rows that can't be read, by table; they are left out. */
  unreadableRows(): readonly UnreadableRows[];
  close(): Promise<void>;
}
