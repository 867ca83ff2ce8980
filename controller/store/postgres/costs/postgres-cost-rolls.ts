import { dayMs, hourMs } from "#platform/time.ts";
import { TimeMs } from "#protocol/bounds.ts";
import { AgentFacts, type CostQuery, type CostRolls, type DeviceCosts, type WorkCosts } from "../../costs/cost-rows.ts";
import { columnValue, type RowQuarantine } from "../../row-quarantine.ts";
import type { PostgresDatabase, Statements } from "../postgres-database.ts";
import { rollUpAgentDay } from "./postgres-cost-lines.ts";

/** Maximum agents whose day is rolled up before others get a turn. */
const agentsAtOnce = 100;
const spanMs = { hour: hourMs, day: dayMs } as const;

type MoneyColumns<Name extends string> = Record<`${Name}Micro` | `${Name}Pico`, string>;
type DeviceRow = Omit<DeviceCosts, "energy" | "owning"> & MoneyColumns<"energy" | "owning">;
type WorkRow = Omit<WorkCosts, "used" | "offers"> & MoneyColumns<"used" | "offers">;
const moneyOf = (micro: string, pico: string) => BigInt(micro) * 1_000_000n + BigInt(pico);

// Of several agents: what one measured for longer than it ran hides nothing that another one lacks.
const measuredOfAll = `sum(least(measured_ms, observed_ms))`;
const onlyAgent = `CASE WHEN min(only_agent) = max(only_agent) THEN min(only_agent) ELSE '' END`;
const deviceColumns = `energy_micro, energy_pico, owning_micro, owning_pico, energy_kwh, observed_ms, compute_ms`;
const workColumns = `used_micro, used_pico, offers_micro, offers_pico, active_kwh, compute_ms, requests, tokens`;
const sumsOf = (columns: string) =>
  columns
    .split(", ")
    .map((column) => `sum(${column})`)
    .join();

const named = (columns: string, measured: string) =>
  `${columns
    .split(", ")
    .map((column) => {
      const name = column.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      return `sum(${column})::${/_(micro|pico)$/.test(column) ? "text" : "float8"} AS "${name}"`;
    })
    .join()}${measured}`;

/** Adds up lines for the fleet. @param from condition of the lines, with $2 as their start */
async function rollUpFleet(statements: Statements, length: number, startMs: number, from: string): Promise<void> {
  for (const table of ["cost_device", "cost_work"])
    await statements.run(`DELETE FROM ${table} WHERE span_ms = $1 AND start_ms = $2 AND agent_id = ''`, [
      ...[length, startMs],
    ]);
  await statements.run(
    `INSERT INTO cost_device (span_ms, start_ms, agent_id, region, ${deviceColumns}, measured_ms, first_minutes, last_minutes, price_key,
       gaps, gap_minutes)
     SELECT $1, $2, '', region, ${sumsOf(deviceColumns)}, ${measuredOfAll}, 0, 0, '', '', sum(gap_minutes)
     FROM cost_device WHERE ${from} GROUP BY region`,
    [length, startMs],
  );
  await statements.run(
    `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, ${workColumns}, only_agent)
     SELECT $1, $2, '', region, tenant, model, ${sumsOf(workColumns)}, ${onlyAgent}
     FROM cost_work WHERE ${from} GROUP BY region, tenant, model`,
    [length, startMs],
  );
  await statements.run(`DELETE FROM cost_stale WHERE span_ms = $1 AND start_ms = $2`, [length, startMs]);
}

/** Cost lines of days and of the fleet, made from those of agents by hour, and what is read of them all. */
export function createPostgresCostRolls(database: PostgresDatabase, quarantine: RowQuarantine): CostRolls {
  const startsOf = async (text: string, parameters: readonly number[]): Promise<number[]> =>
    (await database.rows<{ readonly startMs: number }>(text, parameters)).map(({ startMs }) => startMs);
  const stale = (length: number, startMs: number, endMs: number) =>
    startsOf(
      `SELECT start_ms::float8 AS "startMs" FROM cost_stale WHERE span_ms = $1 AND start_ms >= $2 AND start_ms < $3 ORDER BY cost_stale.start_ms`,
      [length, Math.floor(startMs), Math.ceil(endMs)],
    );
  const rolled = (startMs: number, endMs: number) =>
    startsOf(
      `SELECT start_ms::float8 AS "startMs" FROM cost_rolled WHERE is_whole = 1 AND start_ms >= $1 AND start_ms < $2 ORDER BY cost_rolled.start_ms`,
      [Math.floor(startMs), Math.ceil(endMs)],
    );
  const oldest = async (from: string, column = "start_ms") =>
    (
      await database.rows<{ readonly startMs: number | null }>(
        `SELECT min(${column})::float8 AS "startMs" FROM ${from}`,
      )
    )[0]?.startMs ?? null;
  const rollUpHour = (startMs: number) =>
    database.write(async (statements) => {
      await rollUpFleet(statements, hourMs, startMs, `span_ms = $1 AND start_ms = $2 AND agent_id > ''`);
      await statements.run(`DELETE FROM cost_gap WHERE start_ms = $1`, [startMs]);
      await statements.run(
        `INSERT INTO cost_gap (start_ms, gaps, minutes) SELECT start_ms, gaps, sum(gap_minutes) FROM cost_device
         WHERE span_ms = ${hourMs} AND start_ms = $1 AND agent_id > '' AND gaps <> '' GROUP BY start_ms, gaps`,
        [startMs],
      );
    });
  const linesOf = <Row>(
    table: string,
    sums: string,
    group: string,
    { span, startMs, endMs, of, agents }: CostQuery,
  ) => {
    const isOfOne = of === "agents";
    const these = agents === undefined ? "" : "AND agent_id IN (SELECT json_array_elements_text($4::text::json))";
    return database.rows<Row>(
      `SELECT ${isOfOne ? "agent_id" : "''"} AS "agentId", ${group}, ${sums} FROM ${table}
       WHERE span_ms = $1 AND start_ms >= $2 AND start_ms < $3 AND agent_id ${of === "fleet" ? "= ''" : "> ''"} ${these}
       GROUP BY ${isOfOne ? "agent_id, " : ""}${group} ORDER BY ${isOfOne ? "agent_id, " : ""}${group}`,
      [spanMs[span], startMs, endMs, ...(agents === undefined ? [] : [JSON.stringify(agents)])],
    );
  };
  return {
    async rollUps(startMs, endMs) {
      const [days, staleDays] = [await rolled(startMs, endMs), new Set(await stale(dayMs, startMs, endMs))];
      return {
        agentDays: new Set(days),
        fleetDays: new Set(days.filter((day) => !staleDays.has(day))),
        staleHours: new Set(await stale(hourMs, startMs, endMs)),
        oldestMs: await oldest(`cost_device`),
        oldestHourMs: await oldest(`cost_device WHERE span_ms = ${hourMs} AND agent_id > ''`),
        oldestMinuteMs: await oldest(`minute`, "minute_start_ms"),
      };
    },
    rollUpHour,
    async daysToRollUp(endedByMs) {
      const days = await startsOf(
        `SELECT start_ms::float8 AS "startMs" FROM cost_stale WHERE span_ms = ${dayMs} AND start_ms + ${dayMs} <= $1
         UNION SELECT (start_ms - start_ms % ${dayMs})::float8 FROM cost_device
           WHERE span_ms = ${hourMs} AND start_ms - start_ms % ${dayMs} + ${dayMs} <= $1
             AND start_ms - start_ms % ${dayMs} NOT IN (SELECT start_ms FROM cost_rolled WHERE is_whole = 1)`,
        [endedByMs],
      );
      return days.sort((a, b) => a - b);
    },
    async rollUpDay(startMs) {
      for (const hour of await stale(hourMs, startMs, startMs + dayMs)) await rollUpHour(hour);
      if ((await rolled(startMs, startMs + 1)).length === 0) {
        await database.run(`INSERT INTO cost_rolled (start_ms, is_whole) VALUES ($1, 0) ON CONFLICT DO NOTHING`, [
          startMs,
        ]);
        const agents = await database.rows<{ readonly agentId: string }>(
          `SELECT DISTINCT agent_id AS "agentId" FROM cost_device
           WHERE span_ms = ${hourMs} AND start_ms >= $1 AND start_ms < $2 AND agent_id > ''`,
          [startMs, startMs + dayMs],
        );
        for (let at = 0; at < agents.length; at += agentsAtOnce)
          await database.write(async (statements) => {
            for (const { agentId } of agents.slice(at, at + agentsAtOnce))
              await rollUpAgentDay(statements, agentId, startMs);
          });
      }
      // A late minute may have come meanwhile: the day is rolled up again with the next turn.
      if ((await stale(hourMs, startMs, startMs + dayMs)).length > 0) return;
      await database.write(async (statements) => {
        const hours = `span_ms = ${hourMs} AND start_ms >= $2 AND start_ms < $2 + ${dayMs} AND agent_id = ''`;
        await rollUpFleet(statements, dayMs, startMs, hours);
        await statements.run(`UPDATE cost_rolled SET is_whole = 1 WHERE start_ms = $1`, [startMs]);
      });
    },
    async deviceCosts(query) {
      const measured = query.of === "together" ? measuredOfAll : "sum(measured_ms)";
      const sums = named(deviceColumns, `, ${measured} AS "measuredMs"`);
      const rows = await linesOf<DeviceRow>("cost_device", sums, "region", query);
      return rows.map(({ energyMicro, energyPico, owningMicro, owningPico, ...row }) => ({
        ...row,
        energy: moneyOf(energyMicro, energyPico),
        owning: moneyOf(owningMicro, owningPico),
      }));
    },
    async workCosts(query) {
      const sums = named(workColumns, `, ${onlyAgent} AS "onlyAgent"`);
      const rows = await linesOf<WorkRow>("cost_work", sums, "region, tenant, model", query);
      return rows.map(({ usedMicro, usedPico, offersMicro, offersPico, ...row }) => ({
        ...row,
        used: moneyOf(usedMicro, usedPico),
        offers: moneyOf(offersMicro, offersPico),
      }));
    },
    async agentsWithLines(span, startMs) {
      const rows = await database.rows<{ readonly agentId: string }>(
        `SELECT DISTINCT agent_id AS "agentId" FROM cost_device WHERE span_ms = $1 AND start_ms = $2 AND agent_id > '' ORDER BY agent_id`,
        [spanMs[span], startMs],
      );
      return rows.map(({ agentId }) => agentId);
    },
    usedByAgent: (span, startMs, { region, tenant, model }) =>
      database.rows(
        `SELECT agent_id AS "agentId", sum(used_micro + offers_micro)::float8 AS micro FROM cost_work
         WHERE span_ms = $1 AND start_ms = $2 AND agent_id > '' AND ($3::text IS NULL OR region = $3)
           AND ($4::text IS NULL OR tenant = $4) AND ($5::text IS NULL OR model = $5) GROUP BY agent_id ORDER BY agent_id`,
        [spanMs[span], startMs, region, tenant, model],
      ),
    costGaps: (startMs, endMs) =>
      database.rows(
        `SELECT gaps, sum(minutes)::float8 AS minutes FROM (
           SELECT gaps, minutes FROM cost_gap WHERE start_ms >= $1 AND start_ms < $2
             AND start_ms NOT IN (SELECT start_ms FROM cost_stale WHERE span_ms = ${hourMs})
           UNION ALL SELECT gaps, gap_minutes FROM cost_device
           WHERE span_ms = ${hourMs} AND start_ms >= $1 AND start_ms < $2 AND agent_id > '' AND gaps <> ''
             AND start_ms IN (SELECT start_ms FROM cost_stale WHERE span_ms = ${hourMs})) AS each
         GROUP BY gaps ORDER BY gaps`,
        [Math.floor(startMs), Math.ceil(endMs)],
      ),
    async pruneCosts({ hourMs: beforeHourMs, dayMs: beforeDayMs, fleetHourMs }) {
      for (const table of ["cost_device", "cost_work"]) {
        await database.run(
          `DELETE FROM ${table} WHERE span_ms = ${hourMs} AND agent_id > '' AND start_ms < $1
             AND start_ms - start_ms % ${dayMs} IN (SELECT start_ms FROM cost_rolled WHERE is_whole = 1)`,
          [Math.floor(beforeHourMs)],
        );
        await database.run(`DELETE FROM ${table} WHERE span_ms = ${dayMs} AND agent_id > '' AND start_ms < $1`, [
          Math.floor(beforeDayMs),
        ]);
        await database.run(`DELETE FROM ${table} WHERE span_ms = ${hourMs} AND agent_id = '' AND start_ms < $1`, [
          Math.floor(fleetHourMs),
        ]);
      }
      await database.run(`DELETE FROM cost_gap WHERE start_ms < $1`, [Math.floor(fleetHourMs)]);
    },
    saveAgentFacts: ({ agentId, fromMs, facts }) =>
      database.write(async (statements) => {
        await statements.run(`DELETE FROM cost_agent WHERE agent_id = $1 AND from_ms > $2`, [agentId, fromMs]);
        await statements.run(
          `INSERT INTO cost_agent (agent_id, from_ms, document) VALUES ($1, $2, $3)
           ON CONFLICT (agent_id, from_ms) DO UPDATE SET document = excluded.document`,
          [agentId, fromMs, JSON.stringify(facts)],
        );
      }),
    async loadAgentFacts() {
      const rows = await database.rows<{ agentId: string; fromMs: number; document: string }>(
        `SELECT agent_id AS "agentId", from_ms::float8 AS "fromMs", document FROM cost_agent ORDER BY agent_id, cost_agent.from_ms`,
      );
      return rows.flatMap(({ document, ...row }) => {
        const key = `${row.agentId}/${row.fromMs}`;
        const fromMs = quarantine.decode("cost_agent", key, TimeMs, row.fromMs);
        const facts = quarantine.decode("cost_agent", key, AgentFacts, columnValue(document));
        return facts === null || fromMs === null ? [] : [{ ...row, facts }];
      });
    },
  };
}
