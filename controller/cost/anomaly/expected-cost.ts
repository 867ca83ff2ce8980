import { robustLine, robustSpread } from "./robust.ts";

/** Cost of an hour, and the requests that it was for. */
export interface HourOfCost {
  readonly costUsd: number;
  readonly requests: number;
}

/** Cost of a day, and the requests that it was for. */
export interface DayOfCost extends HourOfCost {
  /** Its hours with records, where they are known. */
  readonly hours?: readonly HourOfCost[];
}

/** Expected cost of a day by days before it, and the spread by which such expectations were wrong. */
export interface ExpectedCost {
  readonly usd: number;
  readonly spread: number;
}

/** Share of what was expected below which differences are noise of rounding and of the day's mix. */
const minSpread = 0.02;

/** Spread that counts as a deviation. */
export const spreadOf = ({ usd, spread }: ExpectedCost): number => Math.max(spread, minSpread * usd);

/** Groups of hours with like requests, each of so many hours at least. */
const maxGroups = 24;
const minHoursOfGroup = 12;

const meanOf = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Mean without the tenth at each end. */
function trimmedMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 10);
  return meanOf(values.toSorted((a, b) => a - b).slice(cut, values.length - cut));
}

/**
 * Cost of an hour by its requests: means of groups of hours with like requests, and straight lines between them. Beyond the busiest group a request
 * costs what it did there. Devices that are switched on by load make no straight line of all hours, and none of a day's sums.
 */
function costByRequests(sorted: readonly HourOfCost[]): (requests: number) => number {
  const count = Math.max(1, Math.min(maxGroups, Math.floor(sorted.length / minHoursOfGroup)));
  const groups = Array.from({ length: count }, (_, index) => {
    const of = sorted.slice(
      Math.floor((index * sorted.length) / count),
      Math.floor(((index + 1) * sorted.length) / count),
    );
    return { requests: meanOf(of.map(({ requests }) => requests)), usd: trimmedMean(of.map(({ costUsd }) => costUsd)) };
  });
  return (requests) => {
    const after = groups.findIndex((group) => group.requests >= requests);
    const [low, high] = [groups[after - 1], groups[after]];
    const last = groups.at(-1) as (typeof groups)[number];
    if (high === undefined) return last.requests > 0 ? (last.usd * requests) / last.requests : last.usd;
    if (low === undefined) return high.usd;
    return low.usd + ((high.usd - low.usd) * (requests - low.requests)) / (high.requests - low.requests);
  };
}

/** Fits the cost of a day to days: by its requests alone, or by those of its hours. */
type Fit = (days: readonly DayOfCost[]) => (day: DayOfCost) => number;

const byDay: Fit = (days) => {
  const line = robustLine(
    days.map(({ requests }) => requests),
    days.map(({ costUsd }) => costUsd),
  );
  return ({ requests }) => line(requests);
};

const byHour: Fit = (days) => {
  const costOf = costByRequests(days.flatMap(({ hours = [] }) => hours).toSorted((a, b) => a.requests - b.requests));
  return ({ hours = [] }) => hours.reduce((sum, { requests }) => sum + costOf(requests), 0);
};

/** Expects a day's cost by a fit; each second day is judged by a fit to the others, as a day is not among those that it is judged by. */
function expectBy(fit: Fit, before: readonly DayOfCost[], day: DayOfCost): ExpectedCost {
  const [even, odd] = [0, 1].map((rest) => fit(before.filter((_, index) => index % 2 === rest)));
  const rests = before.map((each, index) => each.costUsd - ((index % 2 === 0 ? odd : even)?.(each) ?? 0));
  return { usd: fit(before)(day), spread: robustSpread(rests, 0) };
}

/** Expects what a day's requests cost by the days before it: by the day's sum or by its hours, whichever was nearer to these days. */
export function expectCost(before: readonly DayOfCost[], day: DayOfCost): ExpectedCost {
  const ofDay = expectBy(byDay, before, day);
  if ([...before, day].some(({ hours = [] }) => hours.length === 0)) return ofDay;
  // No relation of hours is nearer than this by more than rounding.
  if (ofDay.spread <= 0.001 * ofDay.usd) return ofDay;
  const ofHours = expectBy(byHour, before, day);
  return ofDay.spread <= ofHours.spread ? ofDay : ofHours;
}
