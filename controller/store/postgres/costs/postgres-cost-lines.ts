import { dayMs, hourMs } from "#platform/time.ts";
import type { AgentHour, CostRolls, CostStore, RatedMinute } from "../../costs/cost-rows.ts";
import { minuteBits } from "../../costs/sqlite-costs.ts";
import { type MinuteColumns, readMinute } from "../../read-rows.ts";
import type { RowQuarantine } from "../../row-quarantine.ts";
import type { MinuteRecord } from "../../store.ts";
import type { PostgresDatabase, Statements } from "../postgres-database.ts";
import { type AddedMinute, addMinutes, dayOf, deviceSums, hourOf, workSums } from "./add-minutes.ts";

interface Bits {
  readonly first: number;
  readonly last: number;
}
const noBits: Bits = { first: 0, last: 0 };
const union = (a: Bits, b: Bits): Bits => ({ first: a.first | b.first, last: a.last | b.last });
const hourKey = ({ hourStartMs, agentId }: AgentHour) => `${hourStartMs}/${agentId}`;

const columns = (statements: Statements, hours: readonly AgentHour[]) => [
  statements.array(
    hours.map(({ hourStartMs }) => hourStartMs),
    "INT8",
  ),
  statements.array(
    hours.map(({ agentId }) => agentId),
    "TEXT",
  ),
];

/** Minutes of these hours that are counted in their lines. */
async function countedBits(statements: Statements, hours: readonly AgentHour[]): Promise<Map<string, Bits>> {
  const rows = await statements.rows<AgentHour & Bits>(
    `SELECT start_ms::float8 AS "hourStartMs", agent_id AS "agentId", bit_or(first_minutes)::float8 AS first,
       bit_or(last_minutes)::float8 AS last
     FROM unnest($1::int8[], $2::text[]) AS hour (s, a)
     JOIN cost_device ON span_ms = ${hourMs} AND start_ms = s AND agent_id = a GROUP BY start_ms, agent_id`,
    columns(statements, hours),
  );
  return new Map(rows.map((row) => [hourKey(row), { first: row.first, last: row.last }]));
}

async function mark(statements: Statements, hours: readonly AgentHour[]): Promise<void> {
  if (hours.length === 0) return;
  await statements.run(
    `INSERT INTO cost_unrated (start_ms, agent_id) SELECT * FROM unnest($1::int8[], $2::text[]) ON CONFLICT DO NOTHING`,
    columns(statements, hours),
  );
}

async function removeLines(statements: Statements, spanMs: number, startMs: number, agentId: string): Promise<void> {
  for (const table of ["cost_device", "cost_work"])
    await statements.run(`DELETE FROM ${table} WHERE span_ms = $1 AND start_ms = $2 AND agent_id = $3`, [
      ...[spanMs, startMs, agentId],
    ]);
}

/** Makes the lines of an agent's day anew from those of its hours. */
export async function rollUpAgentDay(statements: Statements, agentId: string, dayStartMs: number): Promise<void> {
  await removeLines(statements, dayMs, dayStartMs, agentId);
  const hours = `span_ms = ${hourMs} AND start_ms >= $1 AND start_ms < $1 + ${dayMs} AND agent_id = $2`;
  await statements.run(
    `INSERT INTO cost_device (span_ms, start_ms, agent_id, region, ${deviceSums.join()}, first_minutes, last_minutes, price_key, gaps)
     SELECT ${dayMs}, $1, agent_id, region, ${deviceSums.map((name) => `sum(${name})`).join()}, 0, 0, '', ''
     FROM cost_device WHERE ${hours} GROUP BY agent_id, region`,
    [dayStartMs, agentId],
  );
  await statements.run(
    `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, ${workSums.join()}, only_agent)
     SELECT ${dayMs}, $1, agent_id, region, tenant, model, ${workSums.map((name) => `sum(${name})`).join()}, agent_id
     FROM cost_work WHERE ${hours} GROUP BY agent_id, region, tenant, model`,
    [dayStartMs, agentId],
  );
}

/** Notes that hours of agents have changed: what was made of them is made anew, at once by agent and later for the fleet. */
async function noteChanged(statements: Statements, hours: readonly AgentHour[]): Promise<void> {
  if (hours.length === 0) return;
  const stale = (spanMs: number, starts: readonly number[]) =>
    statements.run(
      `INSERT INTO cost_stale (span_ms, start_ms) SELECT $1, * FROM unnest($2::int8[]) ON CONFLICT DO NOTHING`,
      [spanMs, statements.array(starts, "INT8")],
    );
  await stale(
    hourMs,
    [...new Set(hours.map(({ hourStartMs }) => hourStartMs))].sort((a, b) => a - b),
  );
  const days = [...new Set(hours.map(({ hourStartMs }) => dayOf(hourStartMs)))];
  const rolled = await statements.rows<{ readonly startMs: number }>(
    `SELECT start_ms::float8 AS "startMs" FROM cost_rolled WHERE start_ms = ANY ($1::int8[]) ORDER BY start_ms`,
    [statements.array(days, "INT8")],
  );
  if (rolled.length === 0) return;
  await stale(
    dayMs,
    rolled.map(({ startMs }) => startMs),
  );
  for (const { startMs } of rolled) {
    const agents = new Set(hours.filter((hour) => dayOf(hour.hourStartMs) === startMs).map(({ agentId }) => agentId));
    for (const agentId of agents) await rollUpAgentDay(statements, agentId, startMs);
  }
}

type StoredMinute = Pick<MinuteRecord, "agentId" | "traffic"> & { readonly rated: RatedMinute | null };

/**
 * Adds minutes that were just stored to their hours, in the same transaction. Without `rated` the hour is left to be rated. A minute that was counted
 * and has been removed from the record since is not counted twice.
 */
export async function addToCosts(statements: Statements, stored: readonly StoredMinute[]): Promise<void> {
  const hourOfMinute = ({ agentId, traffic }: StoredMinute): AgentHour => ({
    agentId,
    hourStartMs: hourOf(traffic.minuteStartMs),
  });
  const distinct = (minutes: readonly StoredMinute[]) => [
    ...new Map(minutes.map((minute) => [hourKey(hourOfMinute(minute)), hourOfMinute(minute)])).values(),
  ];
  await mark(statements, distinct(stored.filter(({ rated }) => rated === null)));
  const counted = await countedBits(statements, distinct(stored.filter(({ rated }) => rated !== null)));
  const added: AddedMinute[] = [];
  for (const [index, minute] of stored.entries()) {
    const { agentId, traffic, rated } = minute;
    if (rated === null) continue;
    const { minuteStartMs } = traffic;
    const key = hourKey(hourOfMinute(minute));
    const [before, own] = [counted.get(key) ?? noBits, minuteBits(minuteStartMs)];
    if ((before.first & own.first) !== 0 || (before.last & own.last) !== 0) {
      const [row] = await statements.rows<{ readonly count: number }>(
        `SELECT count(*)::float8 AS count FROM minute WHERE minute_start_ms = $1 AND agent_id = $2`,
        [minuteStartMs, agentId],
      );
      const later = stored
        .slice(index + 1)
        .filter((other) => other.agentId === agentId && other.traffic.minuteStartMs === minuteStartMs).length;
      if ((row?.count ?? 0) - later <= 1) continue;
    }
    counted.set(key, union(before, own));
    added.push({ agentId, minuteStartMs, rated });
  }
  await addMinutes(statements, added);
  const changed = added.map(({ agentId, minuteStartMs }) => ({ agentId, hourStartMs: hourOf(minuteStartMs) }));
  await noteChanged(statements, [...new Map(changed.map((hour) => [hourKey(hour), hour])).values()]);
}

/** Cost lines of agents that are made anew from the minutes on record. */
export function createPostgresCostLines(
  database: PostgresDatabase,
  quarantine: RowQuarantine,
): Omit<CostStore, keyof CostRolls> {
  return {
    rateHourAgain: ({ agentId, hourStartMs }, rate) =>
      database.write(async (statements) => {
        await statements.run(`DELETE FROM cost_unrated WHERE start_ms = $1 AND agent_id = $2`, [hourStartMs, agentId]);
        const rows = await statements.rows<MinuteColumns>(
          `SELECT agent_id AS "agentId", boot_id AS "bootId", seq::float8 AS seq, minute_start_ms::float8 AS "minuteStartMs",
             historical, role, traffic, power, forecast
           FROM minute WHERE minute_start_ms >= $1 AND minute_start_ms < $2 AND agent_id = $3
           ORDER BY minute.minute_start_ms, boot_id, minute.seq`,
          [hourStartMs, hourStartMs + hourMs, agentId],
        );
        const minutes = rows.flatMap((row) => readMinute(row, quarantine) ?? []);
        const hour = { agentId, hourStartMs };
        const before = (await countedBits(statements, [hour])).get(hourKey(hour)) ?? noBits;
        const now = minutes.reduce((bits, { traffic }) => union(bits, minuteBits(traffic.minuteStartMs)), noBits);
        if ((before.first & ~now.first) !== 0 || (before.last & ~now.last) !== 0) return "kept";
        await removeLines(statements, hourMs, hourStartMs, agentId);
        await addMinutes(
          statements,
          minutes.map((minute) => ({
            ...{ agentId, minuteStartMs: minute.traffic.minuteStartMs, rated: rate(minute) },
          })),
        );
        await noteChanged(statements, [hour]);
        return "rated";
      }),
    markUnrated: (hours) => database.write((statements) => mark(statements, hours)),
    async markAgentUnrated(agentId) {
      await database.run(
        `INSERT INTO cost_unrated (start_ms, agent_id)
         SELECT DISTINCT minute_start_ms - minute_start_ms % ${hourMs}, agent_id FROM minute WHERE agent_id = $1
         ON CONFLICT DO NOTHING`,
        [agentId],
      );
    },
    unratedHours: (startMs, endMs, limit) =>
      database.rows(
        `SELECT agent_id AS "agentId", start_ms::float8 AS "hourStartMs" FROM cost_unrated
         WHERE start_ms >= $1 AND start_ms < $2 ORDER BY start_ms DESC, agent_id LIMIT $3`,
        [Math.ceil(startMs - hourMs + 1), Math.ceil(endMs), limit],
      ),
    markOlderHour: () =>
      database.write(async (statements) => {
        const [backfill] = await statements.rows<{ readonly beforeMs: number }>(
          `SELECT before_ms::float8 AS "beforeMs" FROM cost_backfill`,
        );
        if (backfill === undefined) return false;
        const [found] = await statements.rows<{ readonly newest: number | null }>(
          `SELECT max(minute_start_ms)::float8 AS newest FROM minute WHERE minute_start_ms < $1`,
          [backfill.beforeMs],
        );
        const newest = found?.newest ?? null;
        if (newest === null) {
          await statements.run(`DELETE FROM cost_backfill`);
          return false;
        }
        const startMs = hourOf(newest);
        await statements.run(
          `INSERT INTO cost_unrated (start_ms, agent_id) SELECT DISTINCT $1::int8, agent_id FROM minute
           WHERE minute_start_ms >= $1 AND minute_start_ms < $2 ON CONFLICT DO NOTHING`,
          [startMs, startMs + hourMs],
        );
        await statements.run(`UPDATE cost_backfill SET before_ms = $1`, [startMs]);
        return true;
      }),
    ratedHours: (after, limit) =>
      database.rows(
        `SELECT start_ms::float8 AS "hourStartMs", agent_id AS "agentId",
           CASE WHEN min(price_key) = max(price_key) THEN min(price_key) ELSE '' END AS "priceKey" FROM cost_device
         WHERE span_ms = ${hourMs} AND agent_id > '' AND (start_ms, agent_id) > ($1::int8, $2::text)
         GROUP BY start_ms, agent_id ORDER BY start_ms, agent_id LIMIT $3`,
        [after?.hourStartMs ?? -1, after?.agentId ?? "", limit],
      ),
  };
}
