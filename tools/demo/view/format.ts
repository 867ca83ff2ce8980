import { qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { DemoScale } from "#tools/demo/fleet/plan-scale.ts";
import type { Service } from "#tools/demo/traffic/service-record.ts";
import { promised } from "#tools/demo/traffic/service-record.ts";
import type { CostView, EnergyAndCost, PaidBy } from "./snapshot.ts";

export const thousands = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Wraps a text between words; its further lines begin with `indent` spaces. */
export function wrap(text: string, columns: number, indent: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const space = rest.lastIndexOf(" ", columns);
    const end = space > indent ? space : columns;
    lines.push(rest.slice(0, end));
    rest = " ".repeat(indent) + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** Formats a rate as decisions do, so that the figures can be compared; "-" for an unknown one. */
export function rate(qps: number | null): string {
  return qps === null ? "-" : qpsToText(qps);
}

export function milliseconds(ms: number | null): string {
  return ms === null ? "-" : thousands.format(ms);
}

/** Formats minutes and seconds: "3:07". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Formats date and minute: "Thu 27 Jul 1995 14:32". */
export function formatClock(atMs: number): string {
  const [weekday = "", day = "", month = "", year = "", time = ""] = new Date(atMs).toUTCString().split(/,? /);
  return `${weekday} ${day} ${month} ${year} ${time.slice(0, 5)}`;
}

/** Formats a time of day: "14:32". */
export function formatTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 16);
}

/** The span of the clock that passes in a second: "1 min", "288 s". */
function spanToText(speed: number): string {
  return speed % 60 === 0 ? `${speed / 60} min` : `${Number(speed.toPrecision(3))} s`;
}

/** Says in one line how the fleet's time and rates relate to the real ones. */
export function scaleToText({ requestsPerRealRequest }: DemoScale, speed: number): string {
  return (
    `1 s = ${spanToText(speed)} of demo time; rates: texts/demo s; ` +
    `boards slowed ${thousands.format(requestsPerRealRequest)}-fold`
  );
}

/** Formats an amount in dollars; below one with a tenth of a cent. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 1 ? 3 : 2)}`;
}

function saving(run: number, reference: number): string {
  return reference > 0 ? `${((1 - run / reference) * 100).toFixed(0)} % less` : "nothing to compare with";
}

/** Energy as a product of its price, beside that of a fleet that is all on. */
export function energyToText({ run, reference }: CostView): string {
  const price = run.energyKwh > 0 ? ` x $${(run.energyUsd / run.energyKwh).toFixed(2)}` : "";
  return (
    `${run.energyKwh.toFixed(3)} kWh${price} = $${run.energyUsd.toFixed(3)}; ` +
    `all on ${reference.energyKwh.toFixed(3)} kWh (${saving(run.energyKwh, reference.energyKwh)})`
  );
}

function sumToText({ costUsd, energyUsd, amortisationUsd, offersUsd }: EnergyAndCost): string {
  const offers = offersUsd > 0 ? ` + ${dollars(offersUsd)} offers` : "";
  return `${dollars(costUsd)} = ${dollars(energyUsd)} energy + ${dollars(amortisationUsd)} boards${offers}`;
}

export function costToText({ run, reference }: CostView): string {
  return `${sumToText(run)}; all on ${dollars(reference.costUsd)}`;
}

/** Says of each tenant and model what was paid for it, and what nobody used. */
export function paidByToLines({ tenants, idleUsd }: PaidBy): string[] {
  if (tenants.length === 0) return [];
  const lines = tenants.map(({ tenant, model, requests, boardsUsd, offersUsd }) => {
    const offers = offersUsd > 0 ? `${dollars(boardsUsd)} boards + ${dollars(offersUsd)} offers` : "boards";
    const each = requests === 0 ? "" : `, ${dollars((1000 * (boardsUsd + offersUsd)) / requests)} a thousand requests`;
    return `paid by     ${tenant} for ${model}: ${dollars(boardsUsd + offersUsd)} (${offers})${each}`;
  });
  return [...lines, `paid by     nobody: ${dollars(idleUsd)}, boards that were on and idle, or on standby`];
}

const seconds = (ms: number) => Number((ms / 1000).toPrecision(3));

/** Says what users are promised. */
export const promiseToText = `each minute's p95 within ${seconds(promised.p95Ms)} s of real time, ${100 * promised.availability} % answered without a refusal`;

/** Says what users got in an act. */
export function serviceToText({ p95Ms, refused, failed, minutes, missedMinutes, keptSinceMs }: Service): string {
  const kept = missedMinutes === 0 ? "" : keptSinceMs === null ? " and now" : `, kept since ${formatTime(keptSinceMs)}`;
  const p95 = p95Ms === null ? "" : `; p95 ${seconds(p95Ms)} s`;
  const lost = failed === 0 ? "" : `, ${thousands.format(failed)} failed`;
  return `SLO missed ${missedMinutes} of ${minutes} min${kept}${p95}; ${thousands.format(refused)} refused${lost}`;
}
