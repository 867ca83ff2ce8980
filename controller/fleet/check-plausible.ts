import { bounds } from "#protocol/bounds.ts";
import type { Birth, MinuteData, MinutePower } from "#protocol/messages.ts";
import { mostAheadMs, textsOf } from "./agent-state.ts";

/**
 * A board that claims to carry more than so many times what an agent usually carries is mistaken, and so is a minute with so many times the
 * texts that its board carries: one core answers about 75 times as many texts out of its cache as it computes.
 */
const mostTimesUsual = 100;
/** No model reads a longer text, and no body holds one. */
const mostTokensOfText = 1_048_576;
const minuteMs = 60_000;

/** The introduction without capacities that can't be: such modes count with the usual capacity. What was left out is said. */
export function withPlausibleCapacity(birth: Birth, usualQps: number): { birth: Birth; faults: readonly string[] } {
  const faults: string[] = [];
  const powerModes = birth.board.powerModes.map((mode) => {
    const { name, capacityQps } = mode;
    if (capacityQps === null || capacityQps <= mostTimesUsual * usualQps) return mode;
    faults.push(`mode ${name} is said to carry ${capacityQps} texts/s, which can't be: ${usualQps} is assumed`);
    return { ...mode, capacityQps: null };
  });
  return faults.length === 0
    ? { birth, faults }
    : { birth: { ...birth, board: { ...birth.board, powerModes } }, faults };
}

/** Facts by which a minute's record is judged. */
export interface MinuteContext {
  /** Of the agent's board; null where it has not introduced itself. */
  readonly birth: Birth | null;
  /** Usual capacity of an agent, texts a second. */
  readonly usualQps: number;
  readonly nowMs: number;
  /** Older minutes are not kept. */
  readonly oldestMs: number;
}

/** Beginning of the reason for a minute in the future, which may be right if this controller's clock is wrong. */
export const aheadOfClock = "starts ahead of this controller's clock";

function implausibleTime(minuteStartMs: number, { nowMs, oldestMs }: MinuteContext): string | null {
  const aheadMs = minuteStartMs - nowMs;
  if (aheadMs > mostAheadMs) return `${aheadOfClock} by ${Math.round(aheadMs / 1000)} s: one of the clocks is wrong`;
  if (minuteStartMs < oldestMs) return "is older than minutes are kept (retention.minuteDays)";
  if (minuteStartMs % minuteMs !== 0) return "does not start with a minute";
  return null;
}

/** A part may be larger than the whole by so much: figures are rounded on their way. */
const exceeds = (part: number, whole: number) => part > whole * 1.01 + 1;

function implausiblePower(power: MinutePower): string | null {
  const { energyJ, measuredMs, idleJ = 0, activeJ = 0, models = [] } = power;
  const mostJ = bounds.watts * (measuredMs / 1000 + 1);
  if (energyJ > mostJ) return `${Math.round(energyJ)} J in ${Math.round(measuredMs)} ms, which no board can draw`;
  if (exceeds(idleJ + activeJ, energyJ)) return "idle and active energy add up to more than the total";
  const ofModels = models.reduce((sum, { energyJ: each }) => sum + each, 0);
  if (exceeds(ofModels, activeJ)) return "the models' energy adds up to more than the active energy";
  const apart = models.find(({ energyJ: each, tenants = [] }) =>
    exceeds(
      tenants.reduce((sum, tenant) => sum + tenant.energyJ, 0),
      each,
    ),
  );
  return apart === undefined ? null : `the tenants' energy adds up to more than that of model ${apart.model}`;
}

function implausibleTraffic({ traffic }: Pick<MinuteData, "traffic">, context: MinuteContext): string | null {
  const capacities = context.birth?.board.powerModes.map(({ capacityQps }) => capacityQps ?? 0) ?? [];
  const mostQps = mostTimesUsual * Math.max(context.usualQps, ...capacities);
  const textsPerS = textsOf({ traffic }) / 60;
  if (textsPerS > mostQps)
    return `${Math.round(textsPerS)} texts/s, more than the plausible maximum of ${Math.round(mostQps)} for this board`;
  const computeMs = traffic.models.reduce((sum, model) => sum + model.computeMs, 0);
  if (computeMs > bounds.computeMs) return `${Math.round(computeMs)} ms of computation in one minute`;
  for (const { model, latencyCounts, tenants = [], ...ofAll } of traffic.models) {
    const { requests, texts, tokens } = ofAll;
    if (requests === 0 && texts + tokens > 0) return `model ${model}: texts without a request`;
    const answered = latencyCounts.reduce((sum, count) => sum + count, 0);
    if (answered > requests) return `model ${model}: ${answered} latencies of ${requests} requests`;
    if (tokens > texts * mostTokensOfText) return `model ${model}: ${tokens} tokens in ${texts} texts`;
    for (const kind of ["requests", "texts", "tokens", "computeMs"] as const) {
      const ofTenants = tenants.reduce((sum, tenant) => sum + tenant[kind], 0);
      const isMore = kind === "computeMs" ? exceeds(ofTenants, ofAll[kind]) : ofTenants > ofAll[kind];
      if (isMore) return `model ${model}: ${ofTenants} ${kind} of tenants, of ${ofAll[kind]} in all`;
    }
  }
  return null;
}

/** Why a minute's record can't be true; null when it can. */
export function implausibleMinute(data: Pick<MinuteData, "traffic" | "power">, context: MinuteContext): string | null {
  return (
    implausibleTime(data.traffic.minuteStartMs, context) ??
    implausibleTraffic(data, context) ??
    (data.power === null ? null : implausiblePower(data.power))
  );
}
