import { calendarTimeMs } from "#platform/parse-time.ts";
import { readZone } from "../window/local-time.ts";
import type { DatedEntry, PriceCatalogue, Tariff } from "./catalogue.ts";
import { keysOf, type Section, sections } from "./price-keys.ts";
import { minutesOf, minutesOfDay, minutesOfWeek } from "./week-minutes.ts";

const knownCurrencies = new Set(Intl.supportedValuesOf("currency"));
const isDay = (text: string) => calendarTimeMs(...text.split("-").map(Number)) !== null;

function dayFaults(entry: DatedEntry, path: string): string[] {
  const fields = ["from", "until"] as const;
  const unknown = fields.filter((field) => entry[field] !== undefined && !isDay(entry[field]));
  if (unknown.length > 0)
    return unknown.map((field) => `${path}.${field}: expected a day that exists, got "${entry[field]}"`);
  if (entry.until === undefined || entry.until > entry.from) return [];
  return [`${path}.until: expected a day after from (${entry.from}), got "${entry.until}"`];
}

/** Finds entries of one thing that overlap, and times between them for which it has no price. */
function sequenceFaults(entries: readonly DatedEntry[], section: Section): string[] {
  const keyOf = keysOf[section] as (entry: DatedEntry) => string;
  const numbered = entries.map((entry, index) => ({ entry, path: `${section}.${index}` }));
  return [...Map.groupBy(numbered, ({ entry }) => keyOf(entry)).values()].flatMap((group) => {
    const sorted = group.toSorted((a, b) => (a.entry.from < b.entry.from ? -1 : a.entry.from > b.entry.from ? 1 : 0));
    return sorted.slice(1).flatMap(({ entry, path }, index) => {
      const before = sorted[index] as (typeof sorted)[number];
      const { from, until = entry.from } = before.entry;
      if (from === entry.from || until > entry.from)
        return [
          `${path}.from: expected no overlap with ${before.path} (${from} to ${before.entry.until ?? "the next"}), got "${entry.from}"`,
        ];
      if (until === entry.from) return [];
      return [`${path}.from: expected ${until}, where ${before.path} ends, got "${entry.from}": no price in between`];
    });
  });
}

const minuteToText = (minute: number) => {
  const [day, ofDay] = [Math.floor(minute / minutesOfDay), minute % minutesOfDay];
  const two = (value: number) => String(value).padStart(2, "0");
  return `${["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day]} ${two(Math.floor(ofDay / 60))}:${two(ofDay % 60)}`;
};

/** Finds hours of a tariff that overlap. */
function hourFaults({ hours }: Tariff, path: string): string[] {
  const owner = new Int8Array(minutesOfWeek).fill(-1);
  const lines: string[] = [];
  for (const [index, each] of hours.entries()) {
    let overlap: number | null = null;
    for (const minute of minutesOf(each)) {
      if ((owner[minute] as number) >= 0) overlap ??= minute;
      else owner[minute] = index;
    }
    if (overlap !== null)
      lines.push(
        `${path}.hours.${index}: expected no overlap with hours.${owner[overlap]}, got both at ${minuteToText(overlap)}`,
      );
  }
  return lines;
}

function zoneFaults(zone: string, path: string): string[] {
  if (readZone(zone) !== null) return [];
  return [`${path}: expected UTC, ±HH:MM or a time zone like Europe/Berlin, got "${zone}"`];
}

/** Lists what is wrong with a catalogue beyond its schema, one line a mistake, path first. */
export function checkCatalogue(catalogue: PriceCatalogue): string[] {
  const { currency, timeZone, electricity, devices } = catalogue;
  return [
    ...(knownCurrencies.has(currency)
      ? []
      : [`currency: expected a currency of ISO 4217, e.g. USD or EUR, got "${currency}"`]),
    ...zoneFaults(timeZone, "timeZone"),
    ...electricity.flatMap((tariff, index) => zoneFaults(tariff.timeZone ?? "", `electricity.${index}.timeZone`)),
    ...sections.flatMap((section) => {
      const faults = catalogue[section].flatMap((entry, index) => dayFaults(entry, `${section}.${index}`));
      return faults.length > 0 ? faults : sequenceFaults(catalogue[section], section);
    }),
    ...electricity.flatMap((tariff, index) => hourFaults(tariff, `electricity.${index}`)),
    ...devices.flatMap(({ purchase, residual }, index) =>
      residual > purchase
        ? [`devices.${index}.residual: expected at most purchase (${purchase}), got ${residual}`]
        : [],
    ),
  ];
}
