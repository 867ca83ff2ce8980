/** Costs of a stretch of time. */
export interface Period {
  readonly days: number;
  readonly usd: number;
  readonly requests: number;
  /** Cost by region, tenant, model or agent; "": what nobody used. */
  readonly parts: Readonly<Record<string, number>>;
}

export interface ComparedPart {
  readonly name: string;
  readonly beforeUsdPerDay: number;
  readonly afterUsdPerDay: number;
  readonly savedUsdPerDay: number;
}

export interface Comparison {
  readonly beforeUsdPerDay: number;
  readonly afterUsdPerDay: number;
  readonly savedUsdPerDay: number;
  /** Share of before; null without cost before. */
  readonly savedShare: number | null;
  /** Null without requests. */
  readonly beforeUsdPerMillion: number | null;
  readonly afterUsdPerMillion: number | null;
  /** Saving of a year at today's requests, by the price of a request; null without requests on either side. */
  readonly yearlySavedAtSameRequestsUsd: number | null;
  /** Parts, the largest change first. */
  readonly parts: readonly ComparedPart[];
}

const perMillion = ({ usd, requests }: Period) => (requests > 0 ? (usd * 1e6) / requests : null);

/** Decides what changed between two stretches of time of different lengths: by day, by request, and by part. */
export function decideComparison(before: Period, after: Period): Comparison {
  const perDay = (usd: number, { days }: Period) => (days > 0 ? usd / days : 0);
  const [was, is] = [perDay(before.usd, before), perDay(after.usd, after)];
  const [wasPerMillion, isPerMillion] = [perMillion(before), perMillion(after)];
  const names = [...new Set([...Object.keys(before.parts), ...Object.keys(after.parts)])];
  const parts = names.map((name): ComparedPart => {
    const beforeUsdPerDay = perDay(before.parts[name] ?? 0, before);
    const afterUsdPerDay = perDay(after.parts[name] ?? 0, after);
    return { name, beforeUsdPerDay, afterUsdPerDay, savedUsdPerDay: beforeUsdPerDay - afterUsdPerDay };
  });
  return {
    ...{ beforeUsdPerDay: was, afterUsdPerDay: is, savedUsdPerDay: was - is },
    savedShare: was > 0 ? (was - is) / was : null,
    ...{ beforeUsdPerMillion: wasPerMillion, afterUsdPerMillion: isPerMillion },
    yearlySavedAtSameRequestsUsd:
      wasPerMillion === null || isPerMillion === null || after.days <= 0
        ? null
        : (365 * (wasPerMillion - isPerMillion) * (after.requests / after.days)) / 1e6,
    parts: parts.sort(
      (a, b) => Math.abs(b.savedUsdPerDay) - Math.abs(a.savedUsdPerDay) || a.name.localeCompare(b.name),
    ),
  };
}
