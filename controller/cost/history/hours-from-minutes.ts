import { hourMs, minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import type { MinuteStore } from "../../store/store.ts";
import { FleetUsage } from "../metering/fleet-usage.ts";
import { moneyOf } from "../money/money.ts";
import type { PriceSource } from "../prices/price-source.ts";
import type { CostCell, CostHistory, CostHour } from "./cost-history.ts";

export interface HoursFromMinutesParts {
  readonly store: Pick<MinuteStore, "minutes">;
  readonly births: () => ReadonlyMap<string, Birth | null>;
  readonly openPrices: () => PriceSource;
  readonly nowMs: () => number;
}

/** Hours that are kept in memory: thirteen months. */
const maxKeptHours = 400 * 24;
/** Age at which an hour is hardly changed by late minutes. */
const settledAfterMs = 3 * hourMs;

/** Splits what an hour's minutes cost into cells that add up to it. */
export function hourOf(startMs: number, usage: FleetUsage): CostHour {
  const unused = new Map(usage.devices().map((device) => [device.agentId, { ...device }]));
  const used = usage.items().map((item): CostCell => {
    const device = moneyOf(item.gpuCost);
    const rest = unused.get(item.node);
    if (rest !== undefined) {
      rest.cost -= device;
      rest.energyKwh -= item.activeKwh;
    }
    return {
      ...{ region: item.cluster, agentId: item.node, tenant: item.namespace, model: item.container, device },
      ...{ offers: moneyOf(item.externalCost), requests: item.requests, tokens: item.tokens },
      energyKwh: item.activeKwh,
    };
  });
  const idle = [...unused.values()].map(
    ({ region, agentId, cost, energyKwh }): CostCell => ({
      ...{ region, agentId, tenant: null, model: null, device: cost, offers: 0n },
      ...{ requests: 0, tokens: 0, energyKwh: Math.max(0, energyKwh) },
    }),
  );
  const minutesOf = (of: (device: { observedMs: number; measuredMs: number }) => number) =>
    usage.devices().reduce((sum, device) => sum + of(device), 0) / minuteMs;
  return {
    ...{ startMs, cells: [...used, ...idle], observedMinutes: minutesOf(({ observedMs }) => observedMs) },
    missingEnergyMinutes: minutesOf(({ observedMs, measuredMs }) => Math.max(0, observedMs - measuredMs)),
  };
}

/** Reads hours from the minutes on record, and keeps those that have passed: young ones for a minute, older ones for an hour. */
export function createHoursFromMinutes(parts: HoursFromMinutesParts): CostHistory {
  const kept = new Map<number, { readonly readAtMs: number; readonly hour: CostHour | null }>();
  const isFresh = (startMs: number, nowMs: number) => {
    const known = kept.get(startMs);
    if (known === undefined) return false;
    return Math.abs(nowMs - known.readAtMs) < (nowMs - startMs < settledAfterMs ? minuteMs : hourMs);
  };
  /** Reads a stretch of hours at once. */
  const read = async (startMs: number, endMs: number, nowMs: number) => {
    for (let at = startMs; at < endMs; at += hourMs) kept.set(at, { readAtMs: nowMs, hour: null });
    const births = parts.births();
    const prices = parts.openPrices();
    let open = null as { readonly startMs: number; readonly usage: FleetUsage } | null;
    const close = () => {
      if (open !== null) kept.set(open.startMs, { readAtMs: nowMs, hour: hourOf(open.startMs, open.usage) });
    };
    for await (const minute of parts.store.minutes(startMs, endMs)) {
      const hourStartMs = Math.floor(minute.traffic.minuteStartMs / hourMs) * hourMs;
      if (open?.startMs !== hourStartMs) {
        close();
        open = { startMs: hourStartMs, usage: new FleetUsage(births, prices) };
      }
      open.usage.add(minute);
    }
    close();
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
