import type { Database, Statement } from "bun:sqlite";
import { dayMs, hourMs } from "#platform/time.ts";
import { TimeMs } from "#protocol/bounds.ts";
import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import {
  AgentFacts,
  type CostQuery,
  type CostRolls,
  type DeviceCosts,
  type UsedOfAgent,
  type WorkCosts,
} from "./cost-rows.ts";
import type { CostLines } from "./sqlite-costs.ts";

/** Maximum agents whose day is rolled up before others get a turn. */
const agentsAtOnce = 100;

type DeviceRow = Pick<DeviceCosts, "agentId" | "region" | "energyKwh" | "observedMs" | "measuredMs" | "computeMs"> &
  Record<"energyMicro" | "energyPico" | "owningMicro" | "owningPico", number>;
type WorkRow = Omit<WorkCosts, "used" | "offers"> &
  Record<"usedMicro" | "usedPico" | "offersMicro" | "offersPico", number>;

const spanMs = { hour: hourMs, day: dayMs } as const;

/** Statements by whose lines are read, and those of some agents. */
type Queries<Row> = Record<CostQuery["of"], Statement<Row, [number, number, number]>> & {
  readonly these: Statement<Row, [number, string, string]>;
};

const moneyOf = (micro: number, pico: number) => BigInt(micro) * 1_000_000n + BigInt(pico);

const deviceSums = `sum(energy_micro) AS energyMicro, sum(energy_pico) AS energyPico, sum(owning_micro) AS owningMicro,
  sum(owning_pico) AS owningPico, sum(energy_kwh) AS energyKwh, sum(observed_ms) AS observedMs, sum(compute_ms) AS computeMs`;
// Of several agents: what one measured for longer than it ran hides nothing that another one lacks.
const measuredOfAll = `sum(CASE WHEN measured_ms < observed_ms THEN measured_ms ELSE observed_ms END)`;
const workSums = `sum(used_micro) AS usedMicro, sum(used_pico) AS usedPico, sum(offers_micro) AS offersMicro,
  sum(offers_pico) AS offersPico, sum(active_kwh) AS activeKwh, sum(compute_ms) AS computeMs, sum(requests) AS requests,
  sum(tokens) AS tokens`;
const onlyAgent = `CASE WHEN min(only_agent) = max(only_agent) THEN min(only_agent) ELSE '' END`;

/** Cost lines of days and of the fleet, made from those of agents by hour, and what is read of them all. */
export function createCostRolls(database: Database, lines: CostLines, quarantine: RowQuarantine) {
  const one = (sql: string) => database.query(sql);
  const removeFleet = ["cost_device", "cost_work"].map((table) =>
    one(`DELETE FROM ${table} WHERE span_ms = ? AND start_ms = ? AND agent_id = ''`),
  );
  const fleetDevice = (from: string) =>
    one(
      `INSERT INTO cost_device (span_ms, start_ms, agent_id, region, energy_micro, energy_pico, owning_micro, owning_pico, energy_kwh,
         observed_ms, compute_ms, measured_ms, first_minutes, last_minutes, price_key, gaps, gap_minutes)
       SELECT $spanMs, $startMs, '', region, ${deviceSums}, ${measuredOfAll}, 0, 0, '', '', sum(gap_minutes)
       FROM cost_device WHERE ${from} GROUP BY region`,
    );
  const fleetWork = (from: string) =>
    one(
      `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, used_micro, used_pico, offers_micro, offers_pico,
         active_kwh, compute_ms, requests, tokens, only_agent)
       SELECT $spanMs, $startMs, '', region, tenant, model, ${workSums}, ${onlyAgent}
       FROM cost_work WHERE ${from} GROUP BY region, tenant, model`,
    );
  const ofHour = `span_ms = $spanMs AND start_ms = $startMs AND agent_id > ''`;
  const ofDay = `span_ms = ${hourMs} AND start_ms IN (${Array.from({ length: 24 }, (_, hour) => `$startMs + ${hour * hourMs}`).join()}) AND agent_id = ''`;
  const hourOfFleet = [fleetDevice(ofHour), fleetWork(ofHour)];
  const dayOfFleet = [fleetDevice(ofDay), fleetWork(ofDay)];
  const removeGaps = one(`DELETE FROM cost_gap WHERE start_ms = ?`);
  const addGaps = one(
    `INSERT INTO cost_gap (start_ms, gaps, minutes) SELECT start_ms, gaps, sum(gap_minutes) FROM cost_device
     WHERE span_ms = ${hourMs} AND start_ms = ? AND agent_id > '' AND gaps <> '' GROUP BY start_ms, gaps`,
  );
  const fresh = one(`DELETE FROM cost_stale WHERE span_ms = ? AND start_ms = ?`);
  const stale = database.query<{ startMs: number }, [number, number, number]>(
    `SELECT start_ms AS startMs FROM cost_stale WHERE span_ms = ? AND start_ms >= ? AND start_ms < ?`,
  );
  const rolled = database.query<{ startMs: number }, [number, number]>(
    `SELECT start_ms AS startMs FROM cost_rolled WHERE is_whole = 1 AND start_ms >= ? AND start_ms < ?`,
  );
  const nextHour = database.query<{ startMs: number | null }, [number]>(
    `SELECT min(start_ms) AS startMs FROM cost_device WHERE span_ms = ${hourMs} AND start_ms >= ?`,
  );
  const oldestMinute = database.query<{ startMs: number | null }, []>(
    `SELECT min(minute_start_ms) AS startMs FROM minute`,
  );
  const oldestOf = database.query<{ startMs: number | null }, []>(
    `SELECT min(startMs) AS startMs FROM (SELECT min(start_ms) AS startMs FROM cost_device WHERE span_ms = ${hourMs}
       UNION ALL SELECT min(start_ms) FROM cost_device WHERE span_ms = ${dayMs}) AS spans`,
  );
  const oldestAgentHour = database.query<{ startMs: number }, []>(
    `SELECT start_ms AS startMs FROM cost_device WHERE span_ms = ${hourMs} AND agent_id > ''
     ORDER BY start_ms LIMIT 1`,
  );
  const beginDay = one(`INSERT INTO cost_rolled (start_ms, is_whole) VALUES (?, 0) ON CONFLICT DO NOTHING`);
  const endDay = one(`UPDATE cost_rolled SET is_whole = 1 WHERE start_ms = ?`);
  const agentsOfDay = database.query<{ agentId: string }, [number, number]>(
    `SELECT DISTINCT agent_id AS agentId FROM cost_device
     WHERE span_ms = ${hourMs} AND start_ms >= ? AND start_ms < ? AND agent_id > ''`,
  );
  const prunedHours = (table: string) =>
    one(
      `DELETE FROM ${table} WHERE span_ms = ${hourMs} AND agent_id > '' AND start_ms < ?
         AND start_ms - start_ms % ${dayMs} IN (SELECT start_ms FROM cost_rolled WHERE is_whole = 1)`,
    );
  const pruned = ["cost_device", "cost_work"].map((table) => ({
    hours: prunedHours(table),
    days: one(`DELETE FROM ${table} WHERE span_ms = ${dayMs} AND agent_id > '' AND start_ms < ?`),
    fleetHours: one(`DELETE FROM ${table} WHERE span_ms = ${hourMs} AND agent_id = '' AND start_ms < ?`),
  }));
  const pruneGaps = one(`DELETE FROM cost_gap WHERE start_ms < ?`);
  const gapsRolled = database.query<{ gaps: string; minutes: number }, [number, number]>(
    `SELECT gaps, sum(minutes) AS minutes FROM cost_gap WHERE start_ms >= ? AND start_ms < ?
       AND start_ms NOT IN (SELECT start_ms FROM cost_stale WHERE span_ms = ${hourMs}) GROUP BY gaps`,
  );
  const gapsOfHour = database.query<{ gaps: string; minutes: number }, [number]>(
    `SELECT gaps, sum(gap_minutes) AS minutes FROM cost_device
     WHERE span_ms = ${hourMs} AND start_ms = ? AND agent_id > '' AND gaps <> '' GROUP BY gaps`,
  );
  const removeLaterFacts = one(`DELETE FROM cost_agent WHERE agent_id = ? AND from_ms > ?`);
  const saveFacts = one(`INSERT INTO cost_agent (agent_id, from_ms, document) VALUES (?, ?, ?)
     ON CONFLICT (agent_id, from_ms) DO UPDATE SET document = excluded.document`);

  const ofThese = `span_ms = ?1 AND start_ms IN (SELECT value FROM json_each(?2)) AND agent_id IN (SELECT value FROM json_each(?3))`;
  const sumsBy = {
    cost_device: (of: CostQuery["of"]) =>
      `region, ${deviceSums}, ${of === "together" ? measuredOfAll : "sum(measured_ms)"} AS measuredMs`,
    cost_work: () => `region, tenant, model, ${workSums}, ${onlyAgent} AS onlyAgent`,
  };
  const groupsOf = { cost_device: "region", cost_work: "region, tenant, model" };
  const select = <Row>(table: keyof typeof sumsBy, of: CostQuery["of"]) => {
    const isOfOne = of === "agents";
    return database.query<Row, [number, number, number]>(
      `SELECT ${isOfOne ? "agent_id" : "''"} AS agentId, ${sumsBy[table](of)} FROM ${table}
       WHERE span_ms = ? AND start_ms >= ? AND start_ms < ? AND agent_id ${of === "fleet" ? "= ''" : "> ''"}
       GROUP BY ${isOfOne ? "agent_id, " : ""}${groupsOf[table]}`,
    );
  };
  const selectThese = <Row>(table: keyof typeof sumsBy) =>
    database.query<Row, [number, string, string]>(
      `SELECT agent_id AS agentId, ${sumsBy[table]("agents")} FROM ${table} WHERE ${ofThese} GROUP BY agent_id, ${groupsOf[table]}`,
    );
  const device = {
    ...{ agents: select<DeviceRow>("cost_device", "agents"), fleet: select<DeviceRow>("cost_device", "fleet") },
    ...{ together: select<DeviceRow>("cost_device", "together"), these: selectThese<DeviceRow>("cost_device") },
  };
  const work = {
    ...{ agents: select<WorkRow>("cost_work", "agents"), fleet: select<WorkRow>("cost_work", "fleet") },
    ...{ together: select<WorkRow>("cost_work", "together"), these: selectThese<WorkRow>("cost_work") },
  };
  const read = <Row>(queries: Queries<Row>, { span, startMs, endMs, of, agents }: CostQuery): Row[] => {
    const length = spanMs[span];
    if (agents === undefined) return queries[of].all(length, startMs, endMs);
    const first = Math.ceil(startMs / length);
    const starts = Array.from(
      { length: Math.max(0, Math.ceil(endMs / length) - first) },
      (_, at) => (first + at) * length,
    );
    return queries.these.all(length, JSON.stringify(starts), JSON.stringify(agents));
  };
  const withLines = database.query<{ agentId: string }, [number, number]>(
    `SELECT DISTINCT agent_id AS agentId FROM cost_device WHERE span_ms = ? AND start_ms = ? AND agent_id > ''`,
  );
  // In the order of the table, so that nothing is sorted.
  const used = database.query<UsedOfAgent, [number, number, string | null, string | null, string | null]>(
    `SELECT agent_id AS agentId, sum(used_micro + offers_micro) AS micro FROM cost_work
     WHERE span_ms = ?1 AND start_ms = ?2 AND agent_id > '' AND (?3 IS NULL OR region = ?3)
       AND (?4 IS NULL OR tenant = ?4) AND (?5 IS NULL OR model = ?5) GROUP BY agent_id`,
  );
  const rollUpHour = database.transaction((startMs: number) => {
    for (const remove of removeFleet) remove.run(hourMs, startMs);
    for (const roll of hourOfFleet) roll.run({ spanMs: hourMs, startMs });
    removeGaps.run(startMs);
    addGaps.run(startMs);
    fresh.run(hourMs, startMs);
  });
  const rollUpFleetDay = database.transaction((startMs: number) => {
    for (const remove of removeFleet) remove.run(dayMs, startMs);
    for (const roll of dayOfFleet) roll.run({ spanMs: dayMs, startMs });
    endDay.run(startMs);
    fresh.run(dayMs, startMs);
  });
  const store: CostRolls = {
    async rollUps(startMs, endMs) {
      const days = rolled.all(Math.floor(startMs), Math.ceil(endMs)).map((row) => row.startMs);
      const staleDays = new Set(stale.all(dayMs, Math.floor(startMs), Math.ceil(endMs)).map((row) => row.startMs));
      return {
        agentDays: new Set(days),
        fleetDays: new Set(days.filter((day) => !staleDays.has(day))),
        staleHours: new Set(stale.all(hourMs, Math.floor(startMs), Math.ceil(endMs)).map((row) => row.startMs)),
        oldestMs: oldestOf.get()?.startMs ?? null,
        oldestHourMs: oldestAgentHour.get()?.startMs ?? null,
        oldestMinuteMs: oldestMinute.get()?.startMs ?? null,
      };
    },
    async rollUpHour(hourStartMs) {
      rollUpHour(hourStartMs);
    },
    async daysToRollUp(endedByMs) {
      const whole = new Set(rolled.all(0, endedByMs).map((row) => row.startMs));
      const days = new Set(stale.all(dayMs, 0, endedByMs - dayMs + 1).map((row) => row.startMs));
      let next = nextHour.get(0)?.startMs ?? null;
      while (next !== null) {
        const day = Math.floor(next / dayMs) * dayMs;
        if (day + dayMs > endedByMs) break;
        if (!whole.has(day)) days.add(day);
        next = nextHour.get(day + dayMs)?.startMs ?? null;
      }
      return [...days].sort((a, b) => a - b);
    },
    async rollUpDay(startMs) {
      for (const hour of stale.all(hourMs, startMs, startMs + dayMs)) {
        rollUpHour(hour.startMs);
        await Bun.sleep(0);
      }
      const isWhole = rolled.all(startMs, startMs + 1).length > 0;
      if (!isWhole) {
        beginDay.run(startMs);
        const agents = agentsOfDay.all(startMs, startMs + dayMs);
        for (let at = 0; at < agents.length; at += agentsAtOnce) {
          database.transaction(() => {
            for (const { agentId } of agents.slice(at, at + agentsAtOnce)) lines.rollUpAgentDay(agentId, startMs);
          })();
          await Bun.sleep(0);
        }
      }
      // A late minute may have come meanwhile: the day is rolled up again with the next turn.
      if (stale.all(hourMs, startMs, startMs + dayMs).length === 0) rollUpFleetDay(startMs);
    },
    async deviceCosts(query) {
      return read(device, query).map(({ energyMicro, energyPico, owningMicro, owningPico, ...row }) => ({
        ...row,
        energy: moneyOf(energyMicro, energyPico),
        owning: moneyOf(owningMicro, owningPico),
      }));
    },
    async workCosts(query) {
      return read(work, query).map(({ usedMicro, usedPico, offersMicro, offersPico, ...row }) => ({
        ...row,
        used: moneyOf(usedMicro, usedPico),
        offers: moneyOf(offersMicro, offersPico),
      }));
    },
    async agentsWithLines(span, startMs) {
      return withLines.all(spanMs[span], startMs).map(({ agentId }) => agentId);
    },
    async usedByAgent(span, startMs, { region, tenant, model }) {
      return used.all(spanMs[span], startMs, region, tenant, model);
    },
    async costGaps(startMs, endMs) {
      const hours = stale.all(hourMs, startMs, endMs);
      return [...gapsRolled.all(startMs, endMs), ...hours.flatMap((hour) => gapsOfHour.all(hour.startMs))];
    },
    async pruneCosts({ hourMs: beforeHourMs, dayMs: beforeDayMs, fleetHourMs }) {
      for (const { hours, days, fleetHours } of pruned) {
        hours.run(Math.floor(beforeHourMs));
        await Bun.sleep(0);
        days.run(Math.floor(beforeDayMs));
        fleetHours.run(Math.floor(fleetHourMs));
      }
      pruneGaps.run(Math.floor(fleetHourMs));
    },
    async saveAgentFacts({ agentId, fromMs, facts }) {
      database.transaction(() => {
        removeLaterFacts.run(agentId, fromMs);
        saveFacts.run(agentId, fromMs, JSON.stringify(facts));
      })();
    },
    async loadAgentFacts() {
      const rows = database
        .query<{ agentId: string; fromMs: number; document: string }, []>(
          `SELECT agent_id AS agentId, from_ms AS fromMs, document FROM cost_agent ORDER BY agent_id, from_ms`,
        )
        .all();
      return rows.flatMap(({ document, ...row }) => {
        const key = `${row.agentId}/${row.fromMs}`;
        const fromMs = quarantine.decode("cost_agent", key, TimeMs, row.fromMs);
        const facts = quarantine.decode("cost_agent", key, AgentFacts, columnValue(document));
        return facts === null || fromMs === null ? [] : [{ ...row, facts }];
      });
    },
  };
  return store;
}
