import { minuteMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Beat, Birth, MinuteData, MinutePower } from "#protocol/messages.ts";
import { maxAheadMs, textsOf } from "./agent-state.ts";

/**
 * Maximum plausible capacity of a board, as a multiple of an agent's usual one, and max plausible texts of a minute, as a multiple of its board's
 * capacity: one core answers about 75 times as many texts from its cache as it computes.
 */
const maxTimesUsual = 100;
/** Maximum plausible tokens of a text: no model reads more, and no body holds more. */
const maxTokensOfText = 1_048_576;

/** Returns the birth without implausible capacities, whose modes then count with the usual one, and the faults found. */
export function withPlausibleCapacity(birth: Birth, usualQps: number): { birth: Birth; faults: readonly string[] } {
  const faults: string[] = [];
  const powerModes = birth.board.powerModes.map((mode) => {
    const { name, capacityQps } = mode;
    if (capacityQps === null || capacityQps <= maxTimesUsual * usualQps) return mode;
    faults.push(`mode ${name}: a capacity of ${capacityQps} texts/s is implausible, assuming ${usualQps}`);
    return { ...mode, capacityQps: null };
  });
  return faults.length === 0
    ? { birth, faults }
    : { birth: { ...birth, board: { ...birth.board, powerModes } }, faults };
}

/** Facts by which a minute's record is judged. */
export interface MinuteContext {
  /** Birth of the agent; null before it has introduced itself. */
  readonly birth: Birth | null;
  /** Usual capacity of an agent, texts per second. */
  readonly usualQps: number;
  readonly nowMs: number;
  /** Start of the oldest minute that is kept. */
  readonly oldestMs: number;
}

/** Beginning of the reason for a minute in the future, which may be right if this controller's clock is wrong. */
export const aheadOfClock = "starts ahead of this controller's clock";

function implausibleTime(minuteStartMs: number, { nowMs, oldestMs }: MinuteContext): string | null {
  const aheadMs = minuteStartMs - nowMs;
  if (aheadMs > maxAheadMs) return `${aheadOfClock} by ${Math.round(aheadMs / 1000)} s: one of the clocks is wrong`;
  if (minuteStartMs < oldestMs) return "is older than the retention of minutes (retention.minuteDays)";
  if (minuteStartMs % minuteMs !== 0) return "does not start with a minute";
  return null;
}

/** True when a part is larger than the whole by more than rounding. */
const exceeds = (part: number, whole: number) => part > whole * 1.01 + 1;

function implausiblePower(power: MinutePower): string | null {
  const { energyJ, measuredMs, idleJ = 0, activeJ = 0, models = [] } = power;
  const maxJ = bounds.watts * (measuredMs / 1000 + 1);
  if (energyJ > maxJ)
    return `${Math.round(energyJ)} J in ${Math.round(measuredMs)} ms, which is more than any board draws`;
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

type BoardContext = Pick<MinuteContext, "birth" | "usualQps">;

function implausibleRate(textsPerS: number, { birth, usualQps }: BoardContext): string | null {
  // mutate: equivalent because null counts as 0, and less than the usual capacity changes nothing
  const capacities = birth?.board.powerModes.map(({ capacityQps }) => capacityQps ?? 0) ?? [];
  const maxQps = maxTimesUsual * Math.max(usualQps, ...capacities);
  return textsPerS > maxQps
    ? `${Math.round(textsPerS)} texts/s, more than the plausible maximum of ${Math.round(maxQps)} for this board`
    : null;
}

/** Reason why a beat is implausible; null when it is not. What was offered has no bound: that of a flood is beyond any board's capacity. */
export function implausibleBeat({ models, windowMs }: Beat, context: BoardContext): string | null {
  const names = new Set(models.map(({ model }) => model));
  if (names.size < models.length) return "a model more than once";
  for (const { model, requests, texts, cachedTexts, slowRequests, refused } of models) {
    if (cachedTexts > texts) return `model ${model}: ${cachedTexts} texts from the cache, of ${texts}`;
    if (slowRequests > requests) return `model ${model}: ${slowRequests} slow requests, of ${requests}`;
    if (requests === 0 && texts > 0) return `model ${model}: texts without a request`;
    if (new Set(refused.map(({ cause }) => cause)).size < refused.length)
      return `model ${model}: a cause more than once`;
  }
  return implausibleRate(models.reduce((sum, { texts }) => sum + texts, 0) / (windowMs / 1000), context);
}

function implausibleTraffic({ traffic }: Pick<MinuteData, "traffic">, context: MinuteContext): string | null {
  const rateFault = implausibleRate(textsOf({ traffic }) / 60, context);
  if (rateFault !== null) return rateFault;
  const computeMs = traffic.models.reduce((sum, model) => sum + model.computeMs, 0);
  if (computeMs > bounds.computeMs) return `${Math.round(computeMs)} ms of computation in one minute`;
  for (const { model, latencyCounts, tenants = [], ...ofAll } of traffic.models) {
    const { requests, texts, tokens } = ofAll;
    if (requests === 0 && texts + tokens > 0) return `model ${model}: texts without a request`;
    const answered = latencyCounts.reduce((sum, count) => sum + count, 0);
    // mutate: equivalent because texts are never below zero
    if ((ofAll.cachedTexts ?? 0) > texts)
      return `model ${model}: ${ofAll.cachedTexts} texts from the cache, of ${texts}`;
    if (answered > requests) return `model ${model}: ${answered} latencies of ${requests} requests`;
    if (tokens > texts * maxTokensOfText) return `model ${model}: ${tokens} tokens in ${texts} texts`;
    for (const kind of ["requests", "texts", "tokens", "computeMs"] as const) {
      const ofTenants = tenants.reduce((sum, tenant) => sum + tenant[kind], 0);
      const isMore = kind === "computeMs" ? exceeds(ofTenants, ofAll[kind]) : ofTenants > ofAll[kind];
      if (isMore) return `model ${model}: ${ofTenants} ${kind} of tenants, of ${ofAll[kind]} in all`;
    }
  }
  return null;
}

/** Reason why a minute's record is implausible; null when it is not. */
export function implausibleMinute(data: Pick<MinuteData, "traffic" | "power">, context: MinuteContext): string | null {
  return (
    implausibleTime(data.traffic.minuteStartMs, context) ??
    implausibleTraffic(data, context) ??
    (data.power === null ? null : implausiblePower(data.power))
  );
}
