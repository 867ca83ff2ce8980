import type { Static, TSchema } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import type { Birth, Desired, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import type { AuditHead, AuditRow } from "../audit/audit-check.ts";
import type { AuditDraft } from "../audit/audit-entry.ts";
import type { CostStore, RatedMinute } from "./costs/cost-rows.ts";
import type { DecisionOutcome, DecisionRecord, NewDecision } from "./decision-record.ts";
import type { UnreadableRows } from "./row-quarantine.ts";
import type {
  ApiKeyRow,
  DeviceRow,
  FreezeRow,
  JoinTokenRow,
  LeaseRow,
  OverrideRow,
  ServiceRow,
  SetAsideRow,
  TenantJobRow,
  TenantReceiptRow,
  TenantRow,
} from "./row-schemas.ts";

/** Record of an agent between two runs of the controller. */
export interface AgentRecord {
  readonly agentId: string;
  readonly presence: Presence | null;
  readonly birth: Birth | null;
  readonly reported: Reported | null;
  readonly lastHeardMs: number;
}

/** An operator's setting that takes precedence over the controller's own decisions, until it expires. */
export type Override = ReadonlyStatic<typeof OverrideRow>;

export interface AgentStore {
  saveAgent(agent: AgentRecord): Promise<void>;
  /** Removes a retired agent; its minutes stay. */
  removeAgent(agentId: string): Promise<void>;
  loadAgents(): Promise<AgentRecord[]>;
}

export interface DesiredStore {
  saveDesired(document: Desired): Promise<void>;
  loadDesired(): Promise<Desired[]>;
  removeDesired(agentId: string): Promise<void>;
  saveOverride(override: Override): Promise<void>;
  removeOverride(agentId: string): Promise<void>;
  /** Loads all overrides, expired ones included. */
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

export type StoredMinuteAs =
  | "new"
  /** The same minute is stored already. */
  | "repeat"
  /** Another minute is stored under this name: this one is stored beside it. */
  | "kept-beside"
  /** The same minute is stored with other figures: these are not. */
  | "contradicts";

/** Stored rows and bytes of an agent for one hour. */
export interface HourUse {
  readonly rows: number;
  readonly bytes: number;
  readonly observedMs: number;
  readonly measuredMs: number;
}

/** An implausible minute, kept beside the record. */
export type SetAsideMinute = ReadonlyStatic<typeof SetAsideRow>;

export interface SetAsideStore {
  /** Keeps an implausible minute as it came; the same one once. Of each agent the newest `maxKept` are kept. */
  setAside(data: MinuteData, reason: string, atMs: number, maxKept: number): Promise<void>;
  /** Passes those whose reason begins so and that start by `startedByMs` to `take`, oldest first, and removes each once `take` has resolved. */
  takeSetAside(reasonStart: string, startedByMs: number, take: (data: MinuteData) => Promise<void>): Promise<void>;
  /** Lists those of an agent, newest first. */
  listSetAside(agentId: string, limit: number): Promise<SetAsideMinute[]>;
  /** Removes what came before `beforeMs`, and of the rest all but the newest `maxKept`; resolves with their number. */
  pruneSetAside(beforeMs: number, maxKept: number): Promise<number>;
}

export interface MinuteStore {
  /**
   * Stores a minute permanently under (agentId, bootId, seq), and adds it to the region's service level and the hour's cost lines:
   * all or nothing, and once. Without `rated` the hour's lines are created later ({@link CostStore.rateHourAgain}).
   */
  insertMinute(data: MinuteData, region?: string, rated?: RatedMinute | null): Promise<StoredMinuteAs>;
  /** Resolves when all that was stored before outlasts a power cut; rejects when the disk can't be written. */
  settled(): Promise<void>;
  /** Stored rows and bytes of the minutes that start in the hour from `hourStartMs`. */
  hourUse(agentId: string, hourStartMs: number): Promise<HourUse>;
  /** Minutes of an agent that start on a whole minute of the hour from `hourStartMs`, by time; quick however many agents there are. */
  minutesInHour(agentId: string, hourStartMs: number): Promise<MinuteRecord[]>;
  hasMinutes(agentId: string): Promise<boolean>;
  /** Minutes that start in [startMs, endMs), by time; of one agent when `agentId` is given. */
  minutes(startMs: number, endMs: number, agentId?: string): AsyncIterable<MinuteRecord>;
  /** Totals of the minutes that start in [startMs, endMs), by time; minutes without any record are absent. */
  fleetMinutes(startMs: number, endMs: number): Promise<FleetMinute[]>;
  /** The highest stored seq of a boot; null when there is none. */
  lastSeq(agentId: string, bootId: string): Promise<number | null>;
  /** Removes minutes that start before `beforeMs`, or a day and more ahead of `nowMs` and of the last decision; resolves with their number. */
  pruneMinutes(beforeMs: number, nowMs: number): Promise<number>;
  /** Removes the oldest minutes until the rest takes no more than `maxBytes`; resolves with their number. */
  pruneToSize(maxBytes: number): Promise<number>;
  /** Disk space of the database's rows, without free pages in its file; of a server's as `pruneToSize` found it last. */
  usedBytes(): number;
}

/** Service that users were given in a stretch of time, of one region and model. */
export type ServiceSums = ReadonlyStatic<typeof ServiceRow>;

export interface ServiceStore {
  /** Sums of the time from `startMs` on, as it was stored: in steps of five minutes as far back as a day, else of an hour. */
  service(step: "five-minutes" | "hour", startMs: number): Promise<ServiceSums[]>;
  /** Removes sums that are older than they are kept: those of five minutes after a day, those of hours after `hoursKeptMs`. */
  pruneService(nowMs: number, hoursKeptMs: number): Promise<void>;
}

export interface DecisionFilter {
  readonly kind?: string;
  readonly rule?: string;
  /** Only decisions made before the one with this id. */
  readonly beforeId?: number;
  /** Only decisions that are about this agent. */
  readonly agentId?: string;
  /** Leaves holds out. */
  readonly changesOnly?: boolean;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
}

export interface DecisionStore {
  /** Stores a decision and resolves with its id; ids count up. */
  insertDecision(decision: NewDecision): Promise<number>;
  /** Records that a decision was made again with the same result. */
  /** Notes that a hold was decided again, with the figures and the reason of now. */
  repeatDecision(id: number, newest: Pick<NewDecision, "atMs" | "reason" | "inputs">): Promise<void>;
  /** Replaces the outcome of a decision, as more is known; does nothing for one that is no longer stored. */
  updateOutcome(id: number, outcome: DecisionOutcome): Promise<void>;
  /** Newest first. */
  decisions(filter: DecisionFilter): Promise<DecisionRecord[]>;
  decision(id: number): Promise<DecisionRecord | null>;
  /** Counts the decisions on record by kind and rule, most frequent first. */
  decisionRules(): Promise<{ readonly kind: string; readonly rule: string; readonly count: number }[]>;
  /**
   * Removes decisions last made before `beforeMs`, and of the others all but the newest `maxKept`; of notes all but the newest `maxNotes`,
   * so that they push out no decision. Resolves with their number.
   */
  pruneDecisions(beforeMs: number, maxKept: number, maxNotes: number): Promise<number>;
}

/** An operator's order that nothing is to change. */
export type Freeze = ReadonlyStatic<typeof FreezeRow>;

/** Lease of this store by one controller. Times are the machine's, not those of a clock that may run faster. */
export type Lease = ReadonlyStatic<typeof LeaseRow>;

export interface SafetyStore {
  saveFreeze(freeze: Freeze): Promise<void>;
  removeFreeze(): Promise<void>;
  /** Loads the freeze, also an expired one. */
  loadFreeze(): Promise<Freeze | null>;
  /** Takes or renews the lease; false when another holder's has not expired. */
  takeLease(claim: {
    holder: string;
    about: string;
    /** Address of the holder's API, for the controllers that stand by. */
    apiUrl?: string;
    realNowMs: number;
    forMs: number;
  }): Promise<boolean>;
  /** Gives the lease back, if it is this holder's. */
  giveUpLease(holder: string): Promise<void>;
  lease(): Promise<Lease | null>;
  /** Term of the lease, higher with each holder, where writes are bound to it; null: not held, or not bound. */
  leaseTerm(): number | null;
}

/** Token by which devices may join: what proves it, not the token itself. Times are the machine's. */
export type StoredJoinToken = ReadonlyStatic<typeof JoinTokenRow>;

/** Device that has joined, waits to be let in, or was revoked. Times are the machine's. */
export type Device = ReadonlyStatic<typeof DeviceRow>;

export interface IdentityStore {
  saveJoinToken(token: StoredJoinToken): Promise<void>;
  removeJoinToken(id: string): Promise<void>;
  loadJoinTokens(): Promise<StoredJoinToken[]>;
  /** Stores a device, and with `token` what is left of it: both or neither. */
  saveDevice(device: Device, token?: StoredJoinToken): Promise<void>;
  removeDevice(agentId: string): Promise<void>;
  loadDevices(): Promise<Device[]>;
}

/** Documents that a part of the controller keeps across a restart, by name. */
export interface KeptStore {
  saveKept(name: string, document: unknown): Promise<void>;
  /** Loads a document; null when there is none, or it does not match the schema. */
  loadKept<T extends TSchema>(name: string, schema: T): Promise<Static<T> | null>;
}

/** Issued key, by its hash. */
export type ApiKey = Readonly<ApiKeyRow>;

export interface KeyStore {
  saveKey(key: ApiKey): Promise<void>;
  saveKeyUse(id: string, atMs: number): Promise<void>;
  removeKey(id: string): Promise<void>;
  /** Loads all keys, oldest first, with the number of rows that can't be read. */
  loadKeys(): Promise<{ readonly keys: ApiKey[]; readonly unreadable: number }>;
}

export type Tenant = ReadonlyStatic<typeof TenantRow>;

export interface TenantStore {
  saveTenant(tenant: Tenant): Promise<void>;
  removeTenant(id: string): Promise<void>;
  /** Loads all tenants by name. */
  loadTenants(): Promise<Tenant[]>;
}

/** Erasure or export of a tenant's data. */
export type TenantJob = ReadonlyStatic<typeof TenantJobRow>;

/** Answer of the controller or an agent to a job. */
export type TenantReceipt = ReadonlyStatic<typeof TenantReceiptRow>;

/** Rows that an erasure changed, and those that name the tenant and stay. */
export interface ErasedRows {
  readonly minute: number;
  readonly costs: number;
  readonly decision: number;
  readonly setAside: number;
  readonly tenant: number;
  readonly key: number;
  readonly kept: number;
  readonly audit: number;
}

export interface TenantDataStore {
  saveTenantJob(job: TenantJob): Promise<void>;
  /** Loads all jobs, oldest first. */
  loadTenantJobs(): Promise<TenantJob[]>;
  /** Removes a job with its receipts. */
  removeTenantJob(id: string): Promise<void>;
  /** Stores a receipt in the place of an earlier one of the same. */
  saveTenantReceipt(jobId: string, receipt: TenantReceipt): Promise<void>;
  /** Up to `limit` receipts behind that of `after`, by whom they are of. */
  tenantReceipts(jobId: string, after: string, limit: number): Promise<TenantReceipt[]>;
  /**
   * Removes a tenant and its keys for good, and puts a pseudonym in the place of its name in all other records but the audit log, in steps that do
   * not block. Again: does what is left.
   */
  eraseTenant(tenant: string, pseudonym: string): Promise<ErasedRows>;
  /** Counts a tenant's cost lines that start in [fromMs, beforeMs) under another name, in steps that do not block; resolves with their number. */
  renameCosts(tenant: string, name: string, fromMs: number, beforeMs: number): Promise<number>;
  /** Makes that what was overwritten or removed can't be read from the store's files any more, as far as it can. */
  wipeOverwritten(): Promise<void>;
  /** Implausible minutes that name a tenant, oldest first. */
  setAsideNaming(tenant: string): Promise<MinuteData[]>;
}

export interface AuditStore {
  /** Adds an entry behind the newest one, for good. */
  appendAudit(draft: AuditDraft): Promise<AuditHead>;
  /** Up to `limit` entries after `afterSeq`, or the newest ones for null, in their order. */
  auditEntries(afterSeq: number | null, limit: number): Promise<AuditRow[]>;
  auditHead(): Promise<AuditHead | null>;
  /**
   * Removes the oldest entries, those before `beforeMs` and all but the newest `maxKept`, and adds an entry that says so; resolves with
   * their number.
   */
  pruneAudit(beforeMs: number, maxKept: number, nowMs: number): Promise<number>;
}

export interface Store
  extends AgentStore,
    DesiredStore,
    MinuteStore,
    ServiceStore,
    CostStore,
    SetAsideStore,
    DecisionStore,
    SafetyStore,
    KeyStore,
    TenantStore,
    AuditStore,
    IdentityStore,
    TenantDataStore,
    KeptStore {
  /** Rows that can't be read and are skipped, by table. */
  unreadableRows(): readonly UnreadableRows[];
  /** Fault because of which the store's server can't be used at present; null: it can, or there is none. */
  fault(): string | null;
  close(): Promise<void>;
}
