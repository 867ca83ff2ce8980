import type { Database } from "bun:sqlite";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { type MinuteColumns, readMinute } from "../read-rows.ts";
import type { RowQuarantine } from "../row-quarantine.ts";
import type { MinuteRecord } from "../store.ts";
import type { AgentHour, CostRolls, CostStore, RatedMinute, RatedWork, RateMinute } from "./cost-rows.ts";

/** Maximum pairs of tenant and model kept per agent and hour, and the name of the rest. */
export const maxPairs = 2048;
export const otherNames = "(other)";

/** Whole millionths of an amount, and the rest in millionths of these. */
export const parts = (money: bigint) => [Number(money / 1_000_000n), Number(money % 1_000_000n)] as const;

/** Bits of an hour's minute: of its first thirty, and of the others. */
export function minuteBits(minuteStartMs: number): { readonly first: number; readonly last: number } {
  const minute = Math.floor((minuteStartMs % hourMs) / minuteMs);
  return minute < 30 ? { first: 1 << minute, last: 0 } : { first: 0, last: 1 << (minute - 30) };
}

interface Bits {
  readonly first: number;
  readonly last: number;
}

const deviceSums = [
  ...["energy_micro", "energy_pico", "owning_micro", "owning_pico", "energy_kwh", "observed_ms", "measured_ms"],
  ...["compute_ms", "gap_minutes"],
];
const workSums = [
  ...["used_micro", "used_pico", "offers_micro", "offers_pico", "active_kwh", "compute_ms", "requests", "tokens"],
];

/** Cost lines of agents: added to as minutes are stored, and made anew from the minutes on record. */
export function createCostLines(database: Database, quarantine: RowQuarantine) {
  const addDevice = database.query(
    `INSERT INTO cost_device (span_ms, start_ms, agent_id, region, ${deviceSums.join()}, first_minutes, last_minutes, price_key, gaps)
     VALUES (${hourMs}, $startMs, $agentId, $region, ${deviceSums.map((name) => `$${name}`).join()}, $first, $last, $priceKey, $gaps)
     ON CONFLICT (span_ms, start_ms, agent_id, region) DO UPDATE SET
       ${deviceSums.map((name) => `${name} = cost_device.${name} + excluded.${name}`).join()},
       first_minutes = cost_device.first_minutes | excluded.first_minutes,
       last_minutes = cost_device.last_minutes | excluded.last_minutes,
       price_key = CASE WHEN cost_device.price_key = excluded.price_key THEN excluded.price_key ELSE '' END,
       gaps = CASE WHEN excluded.gaps = '' THEN cost_device.gaps ELSE excluded.gaps END`,
  );
  const addToWork = database.query(
    `UPDATE cost_work SET ${workSums.map((name) => `${name} = ${name} + $${name}`).join()}
     WHERE span_ms = ${hourMs} AND start_ms = $startMs AND agent_id = $agentId AND region = $region
       AND tenant = $tenant AND model = $model`,
  );
  const beginWork = database.query(
    `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, ${workSums.join()}, only_agent)
     VALUES (${hourMs}, $startMs, $agentId, $region, $tenant, $model, ${workSums.map((name) => `$${name}`).join()}, $agentId)`,
  );
  const pairs = database.query<{ count: number }, [number, string]>(
    `SELECT count(*) AS count FROM cost_work WHERE span_ms = ${hourMs} AND start_ms = ? AND agent_id = ?`,
  );
  const counted = database.query<Bits, [number, string]>(
    `SELECT first_minutes AS first, last_minutes AS last FROM cost_device
     WHERE span_ms = ${hourMs} AND start_ms = ? AND agent_id = ?`,
  );
  const onRecord = database.query<{ count: number }, [number, string]>(
    `SELECT count(*) AS count FROM minute WHERE minute_start_ms = ? AND agent_id = ?`,
  );
  const removeDevice = database.query(`DELETE FROM cost_device WHERE span_ms = ? AND start_ms = ? AND agent_id = ?`);
  const removeWork = database.query(`DELETE FROM cost_work WHERE span_ms = ? AND start_ms = ? AND agent_id = ?`);
  const markStale = database.query(`INSERT INTO cost_stale (span_ms, start_ms) VALUES (?, ?) ON CONFLICT DO NOTHING`);
  const isRolled = database.query<{ found: number }, [number]>(`SELECT 1 AS found FROM cost_rolled WHERE start_ms = ?`);
  const hoursOfDay = Array.from({ length: 24 }, (_, hour) => `$dayStartMs + ${hour * hourMs}`).join();
  const dayDevice = database.query(
    `INSERT INTO cost_device (span_ms, start_ms, agent_id, region, ${deviceSums.join()}, first_minutes, last_minutes, price_key, gaps)
     SELECT ${dayMs}, $dayStartMs, agent_id, region, ${deviceSums.map((name) => `sum(${name})`).join()}, 0, 0, '', ''
     FROM cost_device WHERE span_ms = ${hourMs} AND start_ms IN (${hoursOfDay}) AND agent_id = $agentId GROUP BY agent_id, region`,
  );
  const dayWork = database.query(
    `INSERT INTO cost_work (span_ms, start_ms, agent_id, region, tenant, model, ${workSums.join()}, only_agent)
     SELECT ${dayMs}, $dayStartMs, agent_id, region, tenant, model, ${workSums.map((name) => `sum(${name})`).join()}, agent_id
     FROM cost_work WHERE span_ms = ${hourMs} AND start_ms IN (${hoursOfDay})
       AND agent_id = $agentId GROUP BY agent_id, region, tenant, model`,
  );
  const mark = database.query(`INSERT INTO cost_unrated (start_ms, agent_id) VALUES (?, ?) ON CONFLICT DO NOTHING`);
  const markAgent = database.query(
    `INSERT INTO cost_unrated (start_ms, agent_id)
     SELECT DISTINCT minute_start_ms - minute_start_ms % ${hourMs}, agent_id FROM minute WHERE agent_id = ? ON CONFLICT DO NOTHING`,
  );
  const unmark = database.query(`DELETE FROM cost_unrated WHERE start_ms = ? AND agent_id = ?`);
  const unrated = database.query<AgentHour, [number, number, number]>(
    `SELECT agent_id AS agentId, start_ms AS hourStartMs FROM cost_unrated
     WHERE start_ms >= ? AND start_ms < ? ORDER BY start_ms DESC, agent_id LIMIT ?`,
  );
  const minutesOf = database.query<
    Omit<MinuteColumns, "historical"> & { readonly historical: number },
    { agentId: string; startMs: number; endMs: number }
  >(
    `SELECT agent_id AS agentId, boot_id AS bootId, seq, minute_start_ms AS minuteStartMs, historical, role, traffic, power, forecast
     FROM minute
     WHERE minute_start_ms >= $startMs AND minute_start_ms < $endMs AND agent_id = $agentId
     ORDER BY minute_start_ms, boot_id, seq`,
  );
  const backfill = database.query<{ beforeMs: number }, []>(`SELECT before_ms AS beforeMs FROM cost_backfill`);
  const newestBefore = database.query<{ newest: number | null }, [number]>(
    `SELECT max(minute_start_ms) AS newest FROM minute WHERE minute_start_ms < ?`,
  );
  const markHour = database.query(
    `INSERT INTO cost_unrated (start_ms, agent_id) SELECT DISTINCT $startMs, agent_id FROM minute
     WHERE minute_start_ms >= $startMs AND minute_start_ms < $endMs ON CONFLICT DO NOTHING`,
  );
  const moveBackfill = database.query(`UPDATE cost_backfill SET before_ms = ?`);
  const endBackfill = database.query(`DELETE FROM cost_backfill`);
  const rated = database.query<AgentHour & { priceKey: string }, { startMs: number; agentId: string; limit: number }>(
    `SELECT start_ms AS hourStartMs, agent_id AS agentId, 
       CASE WHEN min(price_key) = max(price_key) THEN min(price_key) ELSE '' END AS priceKey FROM cost_device
     WHERE span_ms = ${hourMs} AND agent_id > '' AND (start_ms, agent_id) > ($startMs, $agentId)
     GROUP BY start_ms, agent_id ORDER BY start_ms, agent_id LIMIT $limit`,
  );

  const addWork = (agentId: string, startMs: number, region: string, work: RatedWork) => {
    const [used, offers] = [parts(work.used), parts(work.offers)];
    const row = {
      ...{ startMs, agentId, region, used_micro: used[0], used_pico: used[1], offers_micro: offers[0] },
      ...{ offers_pico: offers[1], active_kwh: work.activeKwh, compute_ms: work.computeMs },
      ...{ requests: work.requests, tokens: work.tokens },
    };
    const names = { tenant: work.tenant, model: work.model };
    if (addToWork.run({ ...row, ...names }).changes > 0) return;
    const isFull = (pairs.get(startMs, agentId)?.count ?? 0) >= maxPairs;
    const told = isFull ? { tenant: otherNames, model: otherNames } : names;
    if (isFull && addToWork.run({ ...row, ...told }).changes > 0) return;
    beginWork.run({ ...row, ...told });
  };
  const addMinute = (agentId: string, minuteStartMs: number, minute: RatedMinute) => {
    const startMs = Math.floor(minuteStartMs / hourMs) * hourMs;
    const { device, region, priceKey, gaps } = minute;
    const [energy, owning] = [parts(device.energy), parts(device.owning)];
    addDevice.run({
      ...{ startMs, agentId, region, ...minuteBits(minuteStartMs), priceKey, gaps, gap_minutes: gaps === "" ? 0 : 1 },
      ...{ energy_micro: energy[0], energy_pico: energy[1], owning_micro: owning[0], owning_pico: owning[1] },
      ...{ energy_kwh: device.energyKwh, observed_ms: device.observedMs, measured_ms: device.measuredMs },
      compute_ms: device.computeMs,
    });
    for (const work of minute.work) addWork(agentId, startMs, region, work);
  };
  /** Makes the lines of an agent's day anew from those of its hours. */
  const rollUpAgentDay = (agentId: string, dayStartMs: number) => {
    removeDevice.run(dayMs, dayStartMs, agentId);
    removeWork.run(dayMs, dayStartMs, agentId);
    dayDevice.run({ agentId, dayStartMs });
    dayWork.run({ agentId, dayStartMs });
  };
  const changed = (agentId: string, hourStartMs: number) => {
    markStale.run(hourMs, hourStartMs);
    const dayStartMs = Math.floor(hourStartMs / dayMs) * dayMs;
    if (isRolled.get(dayStartMs) === null) return;
    markStale.run(dayMs, dayStartMs);
    rollUpAgentDay(agentId, dayStartMs);
  };
  const countedBits = (hourStartMs: number, agentId: string): Bits =>
    counted
      .all(hourStartMs, agentId)
      .reduce((sum, each) => ({ first: sum.first | each.first, last: sum.last | each.last }), { first: 0, last: 0 });

  const rateAgain = database.transaction((hour: AgentHour, rate: RateMinute): "rated" | "kept" => {
    const { agentId, hourStartMs } = hour;
    unmark.run(hourStartMs, agentId);
    const rows = minutesOf.all({ agentId, startMs: hourStartMs, endMs: hourStartMs + hourMs });
    const minutes = rows.flatMap((row) => readMinute({ ...row, historical: row.historical === 1 }, quarantine) ?? []);
    const before = countedBits(hourStartMs, agentId);
    const now = minutes.reduce(
      (sum, { traffic }) => {
        const bits = minuteBits(traffic.minuteStartMs);
        return { first: sum.first | bits.first, last: sum.last | bits.last };
      },
      { first: 0, last: 0 },
    );
    if ((before.first & ~now.first) !== 0 || (before.last & ~now.last) !== 0) return "kept";
    removeDevice.run(hourMs, hourStartMs, agentId);
    removeWork.run(hourMs, hourStartMs, agentId);
    for (const minute of minutes) addMinute(agentId, minute.traffic.minuteStartMs, rate(minute));
    changed(agentId, hourStartMs);
    return "rated";
  });
  const markOlder = database.transaction((): boolean => {
    const beforeMs = backfill.get()?.beforeMs;
    if (beforeMs === undefined) return false;
    const newest = newestBefore.get(beforeMs)?.newest ?? null;
    if (newest === null) {
      endBackfill.run();
      return false;
    }
    const startMs = Math.floor(newest / hourMs) * hourMs;
    markHour.run({ startMs, endMs: startMs + hourMs });
    moveBackfill.run(startMs);
    return true;
  });
  const store: Omit<CostStore, keyof CostRolls> = {
    async rateHourAgain(hour, rate) {
      return rateAgain(hour, rate);
    },
    async markUnrated(hours) {
      database.transaction(() => {
        for (const { agentId, hourStartMs } of hours) mark.run(hourStartMs, agentId);
      })();
    },
    async markAgentUnrated(agentId) {
      markAgent.run(agentId);
    },
    async unratedHours(startMs, endMs, limit) {
      return unrated.all(Math.ceil(startMs - hourMs + 1), Math.ceil(endMs), limit);
    },
    async markOlderHour() {
      return markOlder();
    },
    async ratedHours(after, limit) {
      return rated.all({ startMs: after?.hourStartMs ?? -1, agentId: after?.agentId ?? "", limit });
    },
  };
  return {
    store,
    rollUpAgentDay,
    /**
     * Adds a minute that was just stored to its hour; to be called in the same transaction. Without `rated` the hour is left to be rated. A
     * minute that was counted and has been removed from the record since is not counted twice.
     */
    add({ agentId, traffic }: Pick<MinuteRecord, "agentId" | "traffic">, minute: RatedMinute | null): void {
      const { minuteStartMs } = traffic;
      const hourStartMs = Math.floor(minuteStartMs / hourMs) * hourMs;
      if (minute === null) return void mark.run(hourStartMs, agentId);
      const [before, own] = [countedBits(hourStartMs, agentId), minuteBits(minuteStartMs)];
      const isCounted = (before.first & own.first) !== 0 || (before.last & own.last) !== 0;
      if (isCounted && (onRecord.get(minuteStartMs, agentId)?.count ?? 0) <= 1) return;
      addMinute(agentId, minuteStartMs, minute);
      changed(agentId, hourStartMs);
    },
  };
}
export type CostLines = ReturnType<typeof createCostLines>;
