import type { Database } from "bun:sqlite";
import { minuteMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import { demandOf } from "#protocol/demand.ts";
import type { MinuteData } from "#protocol/messages.ts";
import type { CostStore, RatedMinute } from "./costs/cost-rows.ts";
import { createCostRolls } from "./costs/sqlite-cost-rolls.ts";
import { createCostLines } from "./costs/sqlite-costs.ts";
import { createMinutePruning } from "./minute-pruning.ts";
import { type MinuteColumns, readMinute } from "./read-rows.ts";
import { type RowQuarantine, toColumn } from "./row-quarantine.ts";
import { createServiceTable } from "./sqlite-service.ts";
import type { FleetMinute, HourUse, MinuteStore, ServiceStore, StoredMinuteAs } from "./store.ts";

type StoredMinute = Omit<MinuteColumns, "historical"> & { readonly historical: number };
const columns = `agent_id AS agentId, boot_id AS bootId, seq, minute_start_ms AS minuteStartMs, historical, role, traffic, power, forecast`;

/** Maximum rows and bytes of a page, so that a long window neither fills the memory nor blocks other requests. */
const pageRows = 2000;
const pageBytes = 4 * 1024 * 1024;
const minutesOfHour = Array.from({ length: 60 }, (_, minute) => `$hourStartMs + ${minute * minuteMs}`).join();

/** Boot id under which a minute is stored when another one has its name. */
export function conflictBootId({ bootId }: MinuteData, traffic: string): string {
  return `${bootId}~${Bun.hash(traffic).toString(16).padStart(16, "0")}`;
}

/** Table of minutes, with the sums that each minute is added to in the same transaction. */
export function createMinuteTable(
  database: Database,
  quarantine: RowQuarantine,
): MinuteStore & ServiceStore & CostStore {
  const costs = createCostLines(database, quarantine);
  const service = createServiceTable(database, quarantine);
  const insert = database.query(
    `INSERT OR IGNORE INTO minute
       (agent_id, boot_id, seq, minute_start_ms, texts, historical, role, traffic, power, forecast)
     VALUES ($agentId, $bootId, $seq, $minuteStartMs, $texts, $historical, $role, $traffic, $power, $forecast)`,
  );
  const kept = database.query<
    Pick<StoredMinute, "minuteStartMs" | "role" | "traffic" | "power">,
    [string, string, number]
  >(
    `SELECT minute_start_ms AS minuteStartMs, role, traffic, power FROM minute WHERE agent_id = ? AND boot_id = ? AND seq = ?`,
  );
  const page = database.query<StoredMinute, Record<string, string | number | null>>(
    `SELECT ${columns} FROM minute
     WHERE minute_start_ms < $endMs AND ($onlyAgent IS NULL OR agent_id = $onlyAgent)
       AND (minute_start_ms, agent_id, boot_id, seq) > ($afterMs, $afterAgent, $afterBoot, $afterSeq)
       AND minute_start_ms >= $afterMs
     ORDER BY minute_start_ms, agent_id, boot_id, seq LIMIT ${pageRows}`,
  );
  const totals = database.query<{ minuteStartMs: number; texts: number }, [number, number]>(
    `SELECT minute_start_ms AS minuteStartMs, sum(texts) AS texts FROM minute
     WHERE minute_start_ms >= ? AND minute_start_ms < ? AND texts BETWEEN 0 AND ${bounds.texts}
     GROUP BY minute_start_ms ORDER BY minute_start_ms`,
  );
  const highestSeq = database.query<{ seq: number | null }, [string, string]>(
    `SELECT max(seq) AS seq FROM minute WHERE agent_id = ? AND boot_id = ? AND seq <= ${bounds.count32}`,
  );
  // Minute by minute, for the index by time: the agent may have many rows.
  const hour = database.query<HourUse, { hourStartMs: number; agentId: string }>(
    `SELECT count(*) AS rows,
       total(length(traffic) + coalesce(length(power), 0) + coalesce(length(forecast), 0)) AS bytes,
       total(CASE WHEN json_valid(traffic) THEN json_extract(traffic, '$.observedMs') END) AS observedMs,
       total(CASE WHEN json_valid(power) THEN json_extract(power, '$.measuredMs') END) AS measuredMs
     FROM minute WHERE minute_start_ms IN (${minutesOfHour}) AND agent_id = $agentId`,
  );
  const hourRows = database.query<StoredMinute, { hourStartMs: number; agentId: string }>(
    `SELECT ${columns} FROM minute WHERE minute_start_ms IN (${minutesOfHour}) AND agent_id = $agentId
     ORDER BY minute_start_ms, boot_id, seq LIMIT ${pageRows}`,
  );
  const recordOf = (row: StoredMinute) => readMinute({ ...row, historical: row.historical === 1 }, quarantine);
  const anyOf = database.query<{ found: number }, [string]>(
    `SELECT EXISTS (SELECT 1 FROM minute WHERE agent_id = ?) AS found`,
  );
  const store = (data: MinuteData): StoredMinuteAs => {
    const traffic = JSON.stringify(data.traffic);
    const power = toColumn(data.power);
    const { agentId, bootId, seq, role } = data;
    const row = {
      ...{ agentId, bootId, seq, role, traffic, power },
      minuteStartMs: data.traffic.minuteStartMs,
      texts: demandOf(data.traffic),
      historical: data.historical ? 1 : 0,
      forecast: toColumn(data.forecast),
    };
    if (insert.run(row).changes > 0) return "new";
    const known = kept.get(agentId, bootId, seq);
    if (known === null || (known.traffic === traffic && known.power === power && known.role === role)) return "repeat";
    if (known.minuteStartMs === data.traffic.minuteStartMs) return "contradicts";
    const beside = insert.run({ ...row, bootId: conflictBootId(data, traffic) });
    return beside.changes > 0 ? "kept-beside" : "repeat";
  };
  const storeAndAdd = database.transaction(
    (data: MinuteData, region: string, rated: RatedMinute | null): StoredMinuteAs => {
      const stored = store(data);
      if (stored !== "new" && stored !== "kept-beside") return stored;
      service.add(data, region);
      costs.add(data, rated);
      return stored;
    },
  );
  return {
    ...createMinutePruning(database),
    ...service.reading,
    ...costs.store,
    ...createCostRolls(database, costs, quarantine),
    async insertMinute(data, region = "", rated = null) {
      return storeAndAdd(data, region, rated);
    },
    async hourUse(agentId, hourStartMs) {
      return hour.get({ agentId, hourStartMs }) ?? { rows: 0, bytes: 0, observedMs: 0, measuredMs: 0 };
    },
    async minutesInHour(agentId, hourStartMs) {
      return hourRows.all({ agentId, hourStartMs }).flatMap((row) => recordOf(row) ?? []);
    },
    async hasMinutes(agentId) {
      return anyOf.get(agentId)?.found === 1;
    },
    async *minutes(startMs, endMs, agentId) {
      let after = { afterMs: Math.ceil(startMs), afterAgent: "", afterBoot: "", afterSeq: 0 };
      for (;;) {
        const rows: StoredMinute[] = [];
        let bytes = 0;
        for (const row of page.iterate({ ...after, endMs: Math.ceil(endMs), onlyAgent: agentId ?? null })) {
          rows.push(row);
          bytes += row.traffic.length + (row.power?.length ?? 0) + (row.forecast?.length ?? 0);
          if (bytes >= pageBytes) break;
        }
        for (const row of rows) {
          const record = recordOf(row);
          if (record !== null) yield record;
        }
        const last = rows.at(-1);
        if (last === undefined || (rows.length < pageRows && bytes < pageBytes)) return;
        const { minuteStartMs: afterMs, agentId: afterAgent, bootId: afterBoot, seq: afterSeq } = last;
        after = { afterMs, afterAgent, afterBoot, afterSeq };
        await Bun.sleep(0);
      }
    },
    async fleetMinutes(startMs, endMs): Promise<FleetMinute[]> {
      return totals.all(Math.ceil(startMs), Math.ceil(endMs));
    },
    async lastSeq(agentId, bootId) {
      return highestSeq.get(agentId, bootId)?.seq ?? null;
    },
  };
}
