import { Database } from "bun:sqlite";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { minuteMs } from "#platform/time.ts";

interface Minute {
  readonly bootId: string;
  readonly seq: number;
  readonly minuteStartMs: number;
  readonly observedMs: number;
  readonly texts: number;
}

/** Fate of the minutes that agents have on record. */
export interface RecordCheck {
  readonly recorded: number;
  readonly stored: number;
  /** Kept beside the record as implausible: of a clock that was wrong. */
  readonly setAside: number;
  readonly lost: readonly string[];
  /** Stored under two names, or for more than a minute a minute. */
  readonly doubled: readonly string[];
  /** Stored with other figures than the agent's. */
  readonly changed: readonly string[];
}

function rows(path: string, sql: string): Minute[] {
  if (!existsSync(path)) return [];
  const database = new Database(path, { readonly: true });
  try {
    return database.query<Minute, []>(sql).all();
  } finally {
    database.close();
  }
}

const nameOf = ({ bootId, seq }: Pick<Minute, "bootId" | "seq">) => `${bootId}/${seq}`;

/** Minutes by an agent's own database, also by those that were moved aside as damaged as far as they can be read. */
function recordedBy(stateDir: string): Minute[] {
  const names = readdirSync(stateDir).filter((name) => /^agent\.db(\.kept-\d+)?$/.test(name));
  const sql = `SELECT boot_id AS bootId, seq, minute_start_ms AS minuteStartMs, observed_ms AS observedMs,
    (SELECT coalesce(sum(json_extract(value, '$.texts')), 0) FROM json_each(traffic, '$.models')) AS texts FROM minute_traffic`;
  const byName = new Map<string, Minute>();
  for (const name of names) for (const minute of rows(join(stateDir, name), sql)) byName.set(nameOf(minute), minute);
  return [...byName.values()];
}

/**
 * Compares what agents recorded with what a controller stored, by their databases alone. Both have stopped.
 * @param controllers databases of the controller; several where one was damaged and replaced
 * @param wrongClocks boots that had another time than the others: their minutes are records of their own
 */
export function checkRecords(
  agents: readonly { readonly agentId: string; readonly stateDir: string }[],
  controllers: readonly string[],
  wrongClocks: ReadonlySet<string> = new Set(),
): RecordCheck {
  const lost: string[] = [];
  const doubled: string[] = [];
  const changed: string[] = [];
  let recordedCount = 0;
  let storedCount = 0;
  let setAsideCount = 0;
  for (const { agentId, stateDir } of agents) {
    const ofAgent = `WHERE agent_id = '${agentId}'`;
    const stored = new Map<string, Minute>();
    const aside = new Set<string>();
    for (const path of controllers) {
      const sql = `SELECT boot_id AS bootId, seq, minute_start_ms AS minuteStartMs, json_extract(traffic, '$.observedMs') AS observedMs,
        (SELECT coalesce(sum(json_extract(value, '$.texts')), 0) FROM json_each(traffic, '$.models')) AS texts FROM minute ${ofAgent}`;
      for (const minute of rows(path, sql)) stored.set(nameOf(minute), minute);
      for (const minute of rows(path, `SELECT boot_id AS bootId, seq FROM set_aside ${ofAgent}`))
        aside.add(nameOf(minute));
    }
    const recorded = recordedBy(stateDir);
    const known = new Set(recorded.map(nameOf));
    const boots = new Set(recorded.map(({ bootId }) => bootId));
    for (const minute of recorded) {
      const kept = stored.get(nameOf(minute));
      const what = `${agentId} ${nameOf(minute)} ${new Date(minute.minuteStartMs).toISOString()}`;
      if (kept === undefined && !aside.has(nameOf(minute))) lost.push(what);
      else if (kept !== undefined && (kept.texts !== minute.texts || kept.minuteStartMs !== minute.minuteStartMs))
        changed.push(`${what}: ${kept.texts} texts of ${minute.texts}`);
    }
    const observed = new Map<number, number>();
    for (const minute of stored.values()) {
      if (!known.has(nameOf(minute)) && boots.has(minute.bootId))
        doubled.push(`${agentId} ${nameOf(minute)}: no such record`);
      if (minute.bootId.includes("~")) doubled.push(`${agentId} ${nameOf(minute)}: two under one name`);
      if (wrongClocks.has(minute.bootId)) continue;
      const sum = (observed.get(minute.minuteStartMs) ?? 0) + minute.observedMs;
      observed.set(minute.minuteStartMs, sum);
      // Clocks of two boots agree to a few ms.
      if (sum > 1.1 * minuteMs)
        doubled.push(`${agentId} ${new Date(minute.minuteStartMs).toISOString()}: ${Math.round(sum)} ms`);
    }
    recordedCount += recorded.length;
    storedCount += stored.size;
    setAsideCount += aside.size;
  }
  return { recorded: recordedCount, stored: storedCount, setAside: setAsideCount, lost, doubled, changed };
}

interface StoredDecision {
  readonly id: number;
  readonly kind: string;
  readonly rule: string;
  readonly inputs: string;
  readonly outcome: string;
}

/** Decisions that should not have been made: agents put on standby on a picture with gaps, or outside the limits. */
export function wrongDecisions(
  controllers: readonly string[],
  limits: { readonly minReplicas: number; readonly maxReplicas: number },
): string[] {
  return controllers.flatMap((path) => {
    if (!existsSync(path)) return [];
    const database = new Database(path, { readonly: true });
    try {
      const decisions = database
        .query<StoredDecision, []>(
          "SELECT id, kind, rule, inputs, outcome FROM decision WHERE kind IN ('scale-in', 'scale-out', 'change-modes')",
        )
        .all();
      return decisions.flatMap(({ id, kind, rule, inputs, outcome }) => {
        const { missingData = [], candidates = [] } = JSON.parse(inputs) as {
          missingData?: string[];
          candidates?: { agentId: string; active: boolean }[];
        };
        const { activated, stoodBy } = JSON.parse(outcome) as { activated: string[]; stoodBy: string[] };
        const faults: string[] = [];
        // An operator's override is obeyed whatever is known.
        if (kind === "scale-in" && rule !== "override" && missingData.length > 0 && stoodBy.length > 0)
          faults.push(
            `decision ${id}: ${stoodBy.join()} put on standby while data of ${missingData.join()} were missing`,
          );
        const before = new Set(candidates.filter(({ active }) => active).map(({ agentId }) => agentId));
        for (const agentId of activated) before.add(agentId);
        for (const agentId of stoodBy) before.delete(agentId);
        if (stoodBy.length > 0 && before.size < limits.minReplicas)
          faults.push(`decision ${id}: ${before.size} left active`);
        if (activated.length > 0 && before.size > limits.maxReplicas)
          faults.push(`decision ${id}: ${before.size} active`);
        return faults;
      });
    } finally {
      database.close();
    }
  });
}
