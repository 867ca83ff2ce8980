import { hourMs, minuteMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import { demandOf } from "#protocol/demand.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { RatedMinute } from "../costs/cost-rows.ts";
import { type MinuteColumns, readMinute } from "../read-rows.ts";
import { type RowQuarantine, toColumn } from "../row-quarantine.ts";
import { conflictBootId } from "../sqlite-minutes.ts";
import type { HourUse, MinuteStore, ServiceStore, StoredMinuteAs } from "../store.ts";
import { addToCosts } from "./costs/postgres-cost-lines.ts";
import { createBatches } from "./minute-batches.ts";
import { MinutePartitions } from "./minute-partitions.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";
import { createPostgresService } from "./postgres-service.ts";

interface NewMinute {
  readonly data: MinuteData;
  readonly region: string;
  readonly rated: RatedMinute | null;
  readonly traffic: string;
  readonly power: string | null;
  readonly forecast: string | null;
}
type NewRow = NewMinute & { readonly bootId: string };
/** Part of a stored minute that tells a repeat from another one. */
type KnownMinute = Pick<MinuteColumns, "minuteStartMs" | "role" | "traffic" | "power">;
type Name = readonly [agentId: string, bootId: string, seq: number];

/** Maximum rows and bytes of a page, so that a long window neither fills the memory nor blocks other requests. */
const pageRows = 2000;
const pageBytes = 4 * 1024 * 1024;
const keyOf = (name: Name) => name.join("/");
const columns = `agent_id AS "agentId", boot_id AS "bootId", seq::float8 AS seq, minute_start_ms::float8 AS "minuteStartMs",
  historical, role, traffic, power, forecast`;

const toBatch = (minute: NewMinute): number =>
  minute.traffic.length + (minute.power?.length ?? 0) + (minute.forecast?.length ?? 0);

/** Stored minutes of these names, in whatever partition they are. */
async function loadKnown(statements: Statements, names: readonly Name[]): Promise<Map<string, KnownMinute>> {
  const rows = await statements.rows<KnownMinute & { agentId: string; bootId: string; seq: number }>(
    `SELECT agent_id AS "agentId", boot_id AS "bootId", seq::float8 AS seq, minute_start_ms::float8 AS "minuteStartMs", role,
       traffic, power
     FROM unnest($1::text[], $2::text[], $3::int8[]) AS name (a, b, s)
     JOIN minute ON agent_id = a AND boot_id = b AND seq = s`,
    [
      statements.array(
        names.map(([agentId]) => agentId),
        "TEXT",
      ),
      statements.array(
        names.map(([, bootId]) => bootId),
        "TEXT",
      ),
      statements.array(
        names.map(([, , seq]) => seq),
        "INT8",
      ),
    ],
  );
  return new Map(rows.map(({ agentId, bootId, seq, ...known }) => [keyOf([agentId, bootId, seq]), known]));
}

/** Decides what happens to each minute, from the store and earlier ones. */
async function sortOut(statements: Statements, minutes: readonly NewMinute[]) {
  const nameOf = ({ data: { agentId, bootId, seq } }: NewMinute): Name => [agentId, bootId, seq];
  const known = await loadKnown(statements, minutes.map(nameOf));
  const added: NewRow[] = [];
  const outcomes: StoredMinuteAs[] = [];
  const add = (minute: NewMinute, bootId: string) => {
    const { data, traffic, power } = minute;
    known.set(keyOf([data.agentId, bootId, data.seq]), {
      ...{ minuteStartMs: data.traffic.minuteStartMs, role: data.role, traffic, power },
    });
    added.push({ ...minute, bootId });
  };
  for (const minute of minutes) {
    const { data, traffic, power } = minute;
    const before = known.get(keyOf(nameOf(minute)));
    if (before === undefined) {
      add(minute, data.bootId);
      outcomes.push("new");
    } else if (before.traffic === traffic && before.power === power && before.role === data.role)
      outcomes.push("repeat");
    else if (before.minuteStartMs === data.traffic.minuteStartMs) outcomes.push("contradicts");
    else {
      const bootId = conflictBootId(data, traffic);
      const beside: Name = [data.agentId, bootId, data.seq];
      const isKept = known.has(keyOf(beside)) || (await loadKnown(statements, [beside])).size > 0;
      if (!isKept) add(minute, bootId);
      outcomes.push(isKept ? "repeat" : "kept-beside");
    }
  }
  return { added, outcomes };
}

async function insertRows(statements: Statements, rows: readonly NewRow[]): Promise<void> {
  const texts = (of: (row: NewRow) => string | null) => statements.array(rows.map(of), "TEXT");
  const numbers = (of: (row: NewRow) => number) => statements.array(rows.map(of), "INT8");
  const amounts = (of: (row: NewRow) => number) => statements.array(rows.map(of), "FLOAT8");
  await statements.run(
    `INSERT INTO minute (agent_id, boot_id, seq, minute_start_ms, texts, historical, role, traffic, power, forecast, observed_ms, measured_ms)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::boolean[], $7::text[], $8::text[],
       $9::text[], $10::text[], $11::float8[], $12::float8[])`,
    [
      ...[texts(({ data }) => data.agentId), texts(({ bootId }) => bootId), numbers(({ data }) => data.seq)],
      ...[numbers(({ data }) => data.traffic.minuteStartMs), numbers(({ data }) => demandOf(data.traffic))],
      statements.array(
        rows.map(({ data }) => data.historical),
        "BOOLEAN",
      ),
      ...[texts(({ data }) => data.role), texts(({ traffic }) => traffic), texts(({ power }) => power)],
      ...[texts(({ forecast }) => forecast), amounts(({ data }) => data.traffic.observedMs)],
      amounts(({ data }) => data.power?.measuredMs ?? 0),
    ],
  );
}

/** Tables of the minutes, with a partition per day, and of the service level. */
export function createPostgresMinutes(
  database: PostgresDatabase,
  quarantine: RowQuarantine,
): MinuteStore & ServiceStore & { readonly measure: () => Promise<number> } {
  const service = createPostgresService(database, quarantine);
  const partitions = new MinutePartitions(database);
  let usedBytes = 0;

  const measure = async () => {
    const [size] = await database.rows<{ readonly bytes: number }>(
      `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::float8 AS bytes FROM pg_class
       WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'`,
    );
    usedBytes = size?.bytes ?? 0;
    return usedBytes;
  };
  const store = createBatches<NewMinute, StoredMinuteAs>(async (minutes) => {
    const done = await database.write(async (statements) => {
      const { added, outcomes } = await sortOut(statements, minutes);
      if (added.length === 0) return { outcomes, made: () => undefined };
      const made = await partitions.ensure(
        statements,
        added.map(({ data }) => data.traffic.minuteStartMs),
      );
      await insertRows(statements, added);
      await service.add(statements, added);
      await addToCosts(
        statements,
        added.map(({ data, rated }) => ({ agentId: data.agentId, traffic: data.traffic, rated })),
      );
      return { outcomes, made };
    });
    done.made();
    return done.outcomes;
  });

  return {
    ...service.reading,
    measure,
    usedBytes: () => usedBytes,
    // The server syncs its journal with each commit.
    settled: async () => {},
    pruneMinutes: (beforeMs, nowMs) => partitions.prune(beforeMs, nowMs),
    async pruneToSize(maxBytes) {
      let removed = 0;
      while ((await measure()) > maxBytes) {
        const dropped = await partitions.dropOldest();
        if (dropped === null) break;
        removed += dropped;
      }
      return removed;
    },
    insertMinute(data, region = "", rated = null) {
      const minute: NewMinute = {
        ...{ data, region, rated, traffic: JSON.stringify(data.traffic) },
        ...{ power: toColumn(data.power), forecast: toColumn(data.forecast) },
      };
      return store(minute, toBatch(minute));
    },
    async hourUse(agentId, hourStartMs) {
      const [use] = await database.rows<HourUse>(
        `SELECT count(*)::float8 AS rows,
           coalesce(sum(octet_length(traffic) + coalesce(octet_length(power), 0) + coalesce(octet_length(forecast), 0)), 0)::float8 AS bytes,
           coalesce(sum(observed_ms), 0) AS "observedMs", coalesce(sum(measured_ms), 0) AS "measuredMs"
         FROM minute WHERE minute_start_ms >= $1 AND minute_start_ms < $2 AND agent_id = $3`,
        [hourStartMs, hourStartMs + hourMs, agentId],
      );
      return use ?? { rows: 0, bytes: 0, observedMs: 0, measuredMs: 0 };
    },
    async minutesInHour(agentId, hourStartMs) {
      const rows = await database.rows<MinuteColumns>(
        `SELECT ${columns} FROM minute
         WHERE minute_start_ms >= $1 AND minute_start_ms < $2 AND agent_id = $3 AND (minute_start_ms - $1) % ${minuteMs} = 0
         ORDER BY minute.minute_start_ms, boot_id, minute.seq LIMIT ${pageRows}`,
        [hourStartMs, hourStartMs + hourMs, agentId],
      );
      return rows.flatMap((row) => readMinute(row, quarantine) ?? []);
    },
    async hasMinutes(agentId) {
      return (await database.rows(`SELECT 1 FROM minute WHERE agent_id = $1 LIMIT 1`, [agentId])).length > 0;
    },
    async *minutes(startMs, endMs, agentId) {
      let after = [Math.ceil(startMs), "", "", 0] as [number, string, string, number];
      let limit = pageRows;
      for (;;) {
        const rows = await database.rows<MinuteColumns>(
          `SELECT ${columns} FROM minute
           WHERE minute_start_ms >= $1 AND minute_start_ms < $5 AND ($6::text IS NULL OR agent_id = $6)
             AND (minute_start_ms, agent_id, boot_id, seq) > ($1, $2, $3, $4)
           ORDER BY minute.minute_start_ms, agent_id, boot_id, minute.seq LIMIT $7`,
          [...after, Math.ceil(endMs), agentId ?? null, limit],
        );
        for (const row of rows) {
          const record = readMinute(row, quarantine);
          if (record !== null) yield record;
        }
        const last = rows.at(-1);
        if (last === undefined || rows.length < limit) return;
        after = [last.minuteStartMs, last.agentId, last.bootId, last.seq];
        // As many as fit into a page by the size of those before.
        const bytes = rows.reduce(
          (sum, { traffic, power, forecast }) => sum + traffic.length + (power?.length ?? 0) + (forecast?.length ?? 0),
          0,
        );
        limit = Math.max(1, Math.min(pageRows, Math.floor((pageBytes * rows.length) / bytes)));
      }
    },
    async fleetMinutes(startMs, endMs) {
      return database.rows(
        `SELECT minute_start_ms::float8 AS "minuteStartMs", sum(texts)::float8 AS texts FROM minute
         WHERE minute_start_ms >= $1 AND minute_start_ms < $2 AND texts BETWEEN 0 AND ${bounds.texts}
         GROUP BY minute_start_ms ORDER BY minute_start_ms`,
        [Math.ceil(startMs), Math.ceil(endMs)],
      );
    },
    async lastSeq(agentId, bootId) {
      const [row] = await database.rows<{ readonly seq: number | null }>(
        `SELECT max(seq)::float8 AS seq FROM minute WHERE agent_id = $1 AND boot_id = $2 AND seq <= ${bounds.count32}`,
        [agentId, bootId],
      );
      return row?.seq ?? null;
    },
  };
}
