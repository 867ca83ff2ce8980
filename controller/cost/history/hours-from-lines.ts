import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { CostStore, DeviceCosts, WorkCosts } from "../../store/costs/cost-rows.ts";
import type { CostLedger } from "../ledger/cost-ledger.ts";
import type { CostCell, CostHistory, CostHour } from "./cost-history.ts";

export interface HoursFromLinesParts {
  readonly store: Pick<CostStore, "deviceCosts" | "workCosts" | "rollUps">;
  readonly ledger: Pick<CostLedger, "settle">;
  readonly nowMs: () => number;
  /** Maximum hours that are kept in memory. Default: thirteen months. */
  readonly maxKeptHours?: number;
}

/** Age at which an hour is hardly changed by late minutes. */
const settledAfterMs = 3 * hourMs;

/** Maximum agents of an hour with cells of their own: in larger fleets, and in hours without cells by agent, cells are by region. */
const maxAgents = 200;

/** Splits what an hour cost into cells that add up to it. */
export function hourOf(startMs: number, devices: readonly DeviceCosts[], work: readonly WorkCosts[]): CostHour {
  const keyOf = ({ region, agentId }: Pick<DeviceCosts, "region" | "agentId">) => JSON.stringify([region, agentId]);
  const unused = new Map(
    devices.map((each) => [keyOf(each), { ...each, cost: each.energy + each.owning, energyKwh: each.energyKwh }]),
  );
  const used = work.map((row): CostCell => {
    const { region, agentId, onlyAgent, tenant, model, offers, requests, tokens, activeKwh, computeMs } = row;
    const rest = unused.get(keyOf(row));
    if (rest !== undefined) {
      rest.cost -= row.used;
      rest.energyKwh -= activeKwh;
    }
    const of = agentId === "" ? onlyAgent : agentId;
    return {
      region,
      agentId: of,
      tenant,
      model,
      device: row.used,
      offers,
      requests,
      tokens,
      energyKwh: activeKwh,
      computeMs,
    };
  });
  const idle = [...unused.values()].map(
    ({ region, agentId, cost, energyKwh }): CostCell => ({
      ...{ region, agentId, tenant: null, model: null, device: cost, offers: 0n },
      ...{ requests: 0, tokens: 0, energyKwh: Math.max(0, energyKwh), computeMs: 0 },
    }),
  );
  const minutesOf = (of: (device: DeviceCosts) => number) =>
    devices.reduce((sum, device) => sum + of(device), 0) / minuteMs;
  return {
    ...{ startMs, cells: [...used, ...idle], observedMinutes: minutesOf(({ observedMs }) => observedMs) },
    missingEnergyMinutes: minutesOf(({ observedMs, measuredMs }) => Math.max(0, observedMs - measuredMs)),
  };
}

/** Reads hours from the cost lines, and keeps those that have passed: young ones for a minute, older ones for an hour. */
export function createHoursFromLines(parts: HoursFromLinesParts): CostHistory {
  const maxKeptHours = parts.maxKeptHours ?? 400 * 24;
  const kept = new Map<number, { readonly readAtMs: number; readonly hour: CostHour | null }>();
  const isFresh = (startMs: number, nowMs: number) => {
    const known = kept.get(startMs);
    if (known === undefined) return false;
    return Math.abs(nowMs - known.readAtMs) < (nowMs - startMs < settledAfterMs ? minuteMs : hourMs);
  };
  const keep = (startMs: number, readAtMs: number, hour: CostHour | null) => {
    // Behind the others, as the newest that was read.
    kept.delete(startMs);
    kept.set(startMs, { readAtMs, hour });
  };
  /** Reads a stretch of hours. Those of a time before all records are not kept: a window may begin decades ago. */
  const read = async (startMs: number, endMs: number, nowMs: number): Promise<CostHour[]> => {
    const { store, ledger } = parts;
    const found: CostHour[] = [];
    await ledger.settle(startMs, endMs);
    const { oldestMs, oldestHourMs, staleHours } = await store.rollUps(startMs, endMs);
    if (oldestMs === null) return found;
    const firstMs = Math.floor((oldestMs - dayMs) / hourMs) * hourMs;
    for (let at = Math.max(startMs, firstMs); at < endMs; at += hourMs) {
      const query = (of: "agents" | "together" | "fleet") => ({
        span: "hour" as const,
        startMs: at,
        endMs: at + hourMs,
        of,
      });
      const byAgent = query("agents");
      const agents = oldestHourMs === null || at < oldestHourMs ? [] : await store.deviceCosts(byAgent);
      const isTold = agents.length > 0 && agents.length <= maxAgents;
      const lines = isTold ? byAgent : query(staleHours.has(at) ? "together" : "fleet");
      const devices = isTold ? agents : await store.deviceCosts(lines);
      const hour = devices.length === 0 ? null : hourOf(at, devices, await store.workCosts(lines));
      keep(at, nowMs, hour);
      if (hour !== null) found.push(hour);
      await Bun.sleep(0);
    }
    for (const at of kept.keys()) if (kept.size > maxKeptHours) kept.delete(at);
    return found;
  };
  return {
    async hours(startMs, endMs) {
      const nowMs = parts.nowMs();
      const untilMs = Math.min(endMs, nowMs + hourMs);
      const found: CostHour[] = [];
      let at = Math.ceil(startMs / hourMs) * hourMs;
      while (at < untilMs) {
        const known = isFresh(at, nowMs) ? kept.get(at) : undefined;
        if (known?.hour) found.push(known.hour);
        let nextMs = at + hourMs;
        if (known === undefined) {
          while (nextMs < untilMs && !isFresh(nextMs, nowMs)) nextMs += hourMs;
          for (const hour of await read(at, nextMs, nowMs)) found.push(hour);
        }
        at = nextMs;
      }
      return found;
    },
  };
}
