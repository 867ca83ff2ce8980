import type { OffsetAt } from "#platform/calendar/zone-offset.ts";
import { calendarTimeMs } from "#platform/parse-time.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { divideToNearest, type Money, moneyOf, productOf } from "../money/money.ts";
import { readZone, startOfDay } from "../window/local-time.ts";
import type { Charge, DatedEntry, DevicePrice, InstancePrice, PriceCatalogue, Tariff } from "./catalogue.ts";
import { keysOf, type Section } from "./price-keys.ts";
import { minutesOf, minutesOfDay, minutesOfWeek } from "./week-minutes.ts";

/** Hours of a month in prices by the month: a year's 8,760 ÷ 12. */
export const hoursOfMonth = 730;

/** Thing without a price, and how often one was asked for. */
export interface PriceGap {
  readonly section: Section;
  readonly what: string;
  readonly count: number;
}

interface Held<T> {
  readonly entry: T;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Prices of a checked catalogue by time. What has no price costs null, never nothing: it is counted in {@link PriceList.gaps}. */
export interface PriceList {
  readonly currency: string;
  readonly places: number;
  /** Cost of energy that was drawn from `timeMs` on, at the price of that minute. */
  energy(region: string, timeMs: number, kwh: number): Money | null;
  /** Cost of owning a device for a time: amortisation and upkeep. The first of the names that has a price counts. */
  owning(names: readonly string[], timeMs: number, durationMs: number): Money | null;
  instance(of: Pick<InstancePrice, "type" | "region" | "option">, timeMs: number, hours: number): Money | null;
  charge(of: Pick<Charge, "service" | "item" | "region" | "per">, timeMs: number, quantity: number): Money | null;
  gaps(): PriceGap[];
}

function hold<T extends DatedEntry>(entries: readonly T[], section: Section, startMs: (day: string) => number) {
  const keyOf = keysOf[section] as (entry: DatedEntry) => string;
  const held = new Map<string, Held<T>[]>();
  for (const [key, group] of Map.groupBy(entries, keyOf)) {
    const sorted = group.toSorted((a, b) => startMs(a.from) - startMs(b.from));
    const until = (index: number) => sorted[index]?.until ?? sorted[index + 1]?.from;
    const rows = sorted.map((entry, index) => {
      const end = until(index);
      const untilMs = end === undefined ? Number.POSITIVE_INFINITY : startMs(end);
      return { entry, fromMs: startMs(entry.from), untilMs };
    });
    held.set(key, rows);
  }
  return (key: string, timeMs: number): T | null =>
    held.get(key)?.find(({ fromMs, untilMs }) => fromMs <= timeMs && timeMs < untilMs)?.entry ?? null;
}

/** Price of a kilowatt-hour for each minute of the week. */
function weekOf({ perKwh, hours }: Tariff): Float64Array {
  const week = new Float64Array(minutesOfWeek).fill(perKwh);
  for (const each of hours) for (const minute of minutesOf(each)) week[minute] = each.perKwh;
  return week;
}

/** Minute of the week, from Monday 0:00. Day 0 was a Thursday. */
function minuteOfWeek(localMs: number): number {
  const minute = Math.floor(localMs / minuteMs) + 3 * minutesOfDay;
  return ((minute % minutesOfWeek) + minutesOfWeek) % minutesOfWeek;
}

function owningCost(
  { purchase, residual, lifetimeMonths, maintenancePerMonth }: DevicePrice,
  durationMs: number,
): Money {
  const monthMs = BigInt(hoursOfMonth) * 3_600_000n;
  const written = moneyOf(purchase) - moneyOf(residual);
  const months = BigInt(lifetimeMonths);
  const ofLife = (written + moneyOf(maintenancePerMonth) * months) * BigInt(Math.round(durationMs));
  return divideToNearest(ofLife, monthMs * months);
}

/** Creates the price list of a catalogue without mistakes. */
export function createPriceList(catalogue: PriceCatalogue): PriceList {
  const offsetAt = readZone(catalogue.timeZone) ?? (() => 0);
  const startMs = (day: string) => startOfDay((calendarTimeMs(...day.split("-").map(Number)) ?? 0) / dayMs, offsetAt);
  const tariffAt = hold(catalogue.electricity, "electricity", startMs);
  const deviceAt = hold(catalogue.devices, "devices", startMs);
  const instanceAt = hold(catalogue.instances, "instances", startMs);
  const chargeAt = hold(catalogue.charges, "charges", startMs);
  const weeks = new Map<Tariff, { week: Float64Array; offsetAt: OffsetAt }>();
  const gaps = new Map<string, { section: Section; what: string; count: number }>();

  const missing = (section: Section, ...parts: readonly string[]): null => {
    const what = parts.filter((part) => part !== "").join(" ");
    const key = JSON.stringify([section, what]);
    const gap = gaps.get(key) ?? { section, what, count: 0 };
    gaps.set(key, { ...gap, count: gap.count + 1 });
    return null;
  };
  return {
    currency: catalogue.currency,
    places: catalogue.places,
    energy(region, timeMs, kwh) {
      const tariff =
        tariffAt(keysOf.electricity({ region }), timeMs) ?? tariffAt(keysOf.electricity({ region: "" }), timeMs);
      if (tariff === null) return missing("electricity", region === "" ? "any region" : region);
      const known = weeks.get(tariff) ?? {
        week: weekOf(tariff),
        offsetAt: readZone(tariff.timeZone ?? catalogue.timeZone) ?? offsetAt,
      };
      weeks.set(tariff, known);
      return productOf(known.week[minuteOfWeek(timeMs + known.offsetAt(timeMs))] as number, kwh);
    },
    owning(names, timeMs, durationMs) {
      const found = names.map((model) => deviceAt(keysOf.devices({ model }), timeMs)).find((each) => each !== null);
      return found === undefined ? missing("devices", names[0] ?? "") : owningCost(found, durationMs);
    },
    instance({ type, region, option }, timeMs, hours) {
      const at = (where: string) => instanceAt(keysOf.instances({ type, region: where, option }), timeMs);
      const found = at(region) ?? at("");
      return found === null ? missing("instances", type, option, region) : productOf(found.perHour, hours);
    },
    charge({ service, item, region, per }, timeMs, quantity) {
      const at = (where: string) => chargeAt(keysOf.charges({ service, item, region: where, per }), timeMs);
      const found = at(region) ?? at("");
      return found === null
        ? missing("charges", service, item, region, `per ${per}`)
        : productOf(found.price, quantity);
    },
    gaps: () => [...gaps.values()].sort((a, b) => b.count - a.count),
  };
}
