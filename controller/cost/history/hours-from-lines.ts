import { hourMs, minuteMs } from "#platform/time.ts";
import type { CostStore, DeviceCosts, WorkCosts } from "../../store/costs/cost-rows.ts";
import type { CostLedger } from "../ledger/cost-ledger.ts";
import type { CostCell, CostHistory, CostHour } from "./cost-history.ts";

export interface HoursFromLinesParts {
  readonly store: Pick<CostStore, "deviceCosts" | "workCosts" | "rollUps">;
  readonly ledger: Pick<CostLedger, "settle">;
  readonly nowMs: () => number;
}

/** Hours that are kept in memory: thirteen months. */
const maxKeptHours = 400 * 24;
/** Age at which an hour is hardly changed by late minutes. */
const settledAfterMs = 3 * hourMs;

/** Max agents of an hour that are told apart: of larger fleets, and of hours of which agents are no longer told apart, cells are by region. */
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
  const kept = new Map<number, { readonly readAtMs: number; readonly hour: CostHour | null }>();
  const isFresh = (startMs: number, nowMs: number) => {
    const known = kept.get(startMs);
    if (known === undefined) return false;
    return Math.abs(nowMs - known.readAtMs) < (nowMs - startMs < settledAfterMs ? minuteMs : hourMs);
  };
  /** Reads a stretch of hours. */
  const read = async (startMs: number, endMs: number, nowMs: number) => {
    const { store, ledger } = parts;
    await ledger.settle(startMs, endMs);
    const { oldestMs, oldestHourMs, staleHours } = await store.rollUps(startMs, endMs);
    for (let at = startMs; at < endMs; at += hourMs) {
      kept.set(at, { readAtMs: nowMs, hour: null });
      if (oldestMs === null || at < oldestMs - 24 * hourMs) continue;
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
      if (devices.length > 0)
        kept.set(at, { readAtMs: nowMs, hour: hourOf(at, devices, await store.workCosts(lines)) });
      await Bun.sleep(0);
    }
  };
  return {
    async hours(startMs, endMs) {
      const nowMs = parts.nowMs();
      const first = Math.floor(startMs / hourMs) * hourMs;
      const starts: number[] = [];
      for (let at = first; at < Math.min(endMs, nowMs + hourMs); at += hourMs) if (at >= startMs) starts.push(at);
      let fromMs: number | null = null;
      for (const at of [...starts, Number.POSITIVE_INFINITY]) {
        const isWanted = at !== Number.POSITIVE_INFINITY && !isFresh(at, nowMs);
        if (isWanted) fromMs ??= at;
        if (!isWanted && fromMs !== null) {
          await read(fromMs, at === Number.POSITIVE_INFINITY ? (starts.at(-1) as number) + hourMs : at, nowMs);
          fromMs = null;
        }
      }
      for (const at of kept.keys()) if (kept.size > maxKeptHours) kept.delete(at);
      return starts.flatMap((at) => kept.get(at)?.hour ?? []);
    },
  };
}
