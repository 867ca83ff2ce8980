import { figure, type Saving, usd } from "./saving.ts";
import type { SavingsServices } from "./savings-input.ts";

const monthsOfYear = 12;
const secondsOfMonth = 730 * 3600;
/** Checks by which a fault is seen. */
const checksToSee = 3;

/** Mean latency that a price class adds over all users. */
export function weightedMs(addedMs: readonly { readonly share: number; readonly ms: number }[]): number {
  return addedMs.reduce((sum, { share, ms }) => sum + share * ms, 0);
}

function adviseStorage({ storage }: SavingsServices): Saving[] {
  if (storage === undefined) return [];
  return storage.objects.flatMap(({ name, gb, ageDays, class: now }): Saving[] => {
    const fit = storage.byAge.filter(({ fromDays }) => ageDays >= fromDays).at(-1)?.class;
    const [before, after] = [storage.perGbMonth[now], fit === undefined ? undefined : storage.perGbMonth[fit]];
    if (fit === undefined || before === undefined || after === undefined || after >= before) return [];
    return [
      {
        ...{ kind: "storage-class", target: name, action: `move ${name} to storage class ${fit}` },
        evidence: `${figure(gb)} GB not read for ${figure(ageDays)} days, at ${before} instead of ${after} $ a GB and month`,
        yearlyUsd: monthsOfYear * gb * (before - after),
        ...{ risk: fit === "archive" ? "medium" : "low", effort: "low" },
      },
    ];
  });
}

function adviseCdn({ cdn }: SavingsServices): Saving[] {
  const now = cdn?.classes.find(({ name }) => name === cdn.class);
  if (cdn === undefined || now === undefined) return [];
  const [best] = cdn.classes
    .filter(({ addedMs }) => weightedMs(addedMs) - weightedMs(now.addedMs) <= cdn.maxAddedMs)
    .toSorted((a, b) => a.usdPerGb - b.usdPerGb);
  if (best === undefined || best.usdPerGb >= now.usdPerGb) return [];
  const added = weightedMs(best.addedMs) - weightedMs(now.addedMs);
  const worst = Math.max(0, ...best.addedMs.map(({ ms }) => ms));
  return [
    {
      ...{ kind: "cdn-class", target: "cdn", action: `use price class ${best.name} instead of ${now.name}` },
      evidence: `${figure(cdn.gbPerMonth)} GB a month at ${best.usdPerGb} instead of ${now.usdPerGb} $; users wait ${added.toFixed(2)} ms longer on average, at most ${figure(worst)} ms`,
      yearlyUsd: monthsOfYear * cdn.gbPerMonth * (now.usdPerGb - best.usdPerGb),
      ...{ risk: worst > 50 ? "medium" : "low", effort: "low" },
    },
  ];
}

function adviseFunctions({ functions }: SavingsServices): Saving[] {
  if (functions === undefined || functions.provisioned === 0 || functions.requestsPerMonth === 0) return [];
  const { provisioned, usdPerInstanceMonth, requestsPerMonth, coldStartsPerMonth, coldStartMs, maxColdShare } =
    functions;
  const share = coldStartsPerMonth / requestsPerMonth;
  if (share > maxColdShare) return [];
  return [
    {
      ...{ kind: "provisioned", target: "functions", action: "keep no function warm" },
      evidence: `${provisioned} warm instances for ${usd(provisioned * usdPerInstanceMonth)} a month; without them ${(100 * share).toFixed(3)} % of requests would wait ${figure(coldStartMs)} ms`,
      yearlyUsd: monthsOfYear * provisioned * usdPerInstanceMonth,
      ...{ risk: share > maxColdShare / 10 ? "medium" : "low", effort: "low" },
    },
  ];
}

function adviseDns({ dns }: SavingsServices): Saving[] {
  if (dns === undefined) return [];
  const { checks, intervalS, usdPerMillionChecks, maxDetectionS } = dns;
  const longest = Math.floor(maxDetectionS / checksToSee);
  if (longest <= intervalS) return [];
  const costOf = (seconds: number) => ((checks * secondsOfMonth) / seconds) * (usdPerMillionChecks / 1e6);
  return [
    {
      ...{ kind: "dns-interval", target: "dns", action: `check each ${longest} s instead of each ${intervalS} s` },
      evidence: `${checks} checks cost ${usd(costOf(intervalS))} a month; ${checksToSee} checks at ${longest} s see a fault within the ${maxDetectionS} s that are allowed`,
      yearlyUsd: monthsOfYear * (costOf(intervalS) - costOf(longest)),
      ...{ risk: "medium", effort: "low" },
    },
  ];
}

function adviseMonitoring({ monitoring }: SavingsServices): Saving[] {
  if (monitoring === undefined) return [];
  const { gbPerDay, retentionDays, usedDays, usdPerGbMonth } = monitoring;
  const { tracesPerMonth, sampling, neededTracesPerMonth, usdPerMillionTraces } = monitoring;
  const traced = tracesPerMonth * sampling;
  return [
    ...(usedDays < retentionDays
      ? [
          {
            ...{
              kind: "retention" as const,
              target: "monitoring",
              action: `keep ${usedDays} days instead of ${retentionDays}`,
            },
            evidence: `nothing older than ${usedDays} days was read; ${figure(gbPerDay)} GB a day`,
            yearlyUsd: monthsOfYear * gbPerDay * (retentionDays - usedDays) * usdPerGbMonth,
            ...{ risk: "medium" as const, effort: "low" as const },
          },
        ]
      : []),
    ...(traced > neededTracesPerMonth
      ? [
          {
            ...{ kind: "trace-sampling" as const, target: "tracing" },
            action: `trace ${figure((100 * neededTracesPerMonth) / tracesPerMonth)} % of requests instead of ${figure(100 * sampling)} %`,
            evidence: `${figure(traced)} traces a month, ${figure(neededTracesPerMonth)} are enough`,
            yearlyUsd: (monthsOfYear * (traced - neededTracesPerMonth) * usdPerMillionTraces) / 1e6,
            ...{ risk: "low" as const, effort: "low" as const },
          },
        ]
      : []),
  ];
}

/** Advice on what the controller can't see: use of outside services, as configured. */
export function adviseServices(services: SavingsServices): Saving[] {
  return [
    ...adviseStorage(services),
    ...adviseCdn(services),
    ...adviseFunctions(services),
    ...adviseDns(services),
    ...adviseMonitoring(services),
  ];
}
