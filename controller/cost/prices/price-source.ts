import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import { moneyToNumber } from "../money/money.ts";
import { type Prices, pricesOf } from "../price-minute.ts";
import { PriceCatalogue } from "./catalogue.ts";
import { checkCatalogue } from "./check-catalogue.ts";
import { createPriceList, type PriceGap } from "./price-list.ts";

/** Thing of an agent that the catalogue has no price for. */
export type MissingPrice = Pick<PriceGap, "section" | "what">;

export interface AgentPrices extends Prices {
  /** Things that the catalogue has no price for: the configured one counts. */
  readonly missing: readonly MissingPrice[];
}

/** Facts about an agent that its prices depend on. */
export interface PricedAgent {
  readonly region: string;
  readonly board: string;
  /** The agent's own prices; null: those of the fleet. */
  readonly tariffUsdPerKwh: number | null;
  readonly amortisationUsdPerHour: number | null;
}

function pricedAgentOf(birth: Birth | null): PricedAgent {
  const { tariffUsdPerKwh = null, amortisationUsdPerHour = null } = birth?.prices ?? {};
  return { region: birth?.region ?? "", board: birth?.board.name ?? "", tariffUsdPerKwh, amortisationUsdPerHour };
}

/** Prices of agents by time, for one report. */
export interface PriceSource {
  /** Prices of an agent at a moment: its own where its birth names them, else the catalogue's, else the configured ones. */
  at(agentId: string, birth: Birth | null, timeMs: number): Prices;
  /** The same of an agent as it was then. */
  atFacts(agentId: string, agent: PricedAgent, timeMs: number): Prices;
  /** The same, with what has no price named instead of counted. */
  of(agentId: string, agent: PricedAgent, timeMs: number): AgentPrices;
  /** Names what an agent's prices depend on: agents of one name have the same prices at all times. */
  dependsOn(agentId: string, agent: PricedAgent): string;
  /** Names all that prices are made of, so that a change is seen. */
  readonly fingerprint: string;
  /** Lists what the catalogue has no price for, with the number of agent-minutes to which the configured price was applied. */
  gaps(): PriceGap[];
}

/** Text of the fleet's prices alone: the rest of the cost settings, such as the time zone, changes no price. */
const fleetText = ({ tariffUsdPerKwh, amortisationUsdPerHour }: Prices) =>
  JSON.stringify({ tariffUsdPerKwh, amortisationUsdPerHour });

/** Creates the source of configured prices, which hold at all times. */
export function configuredPrices(fleet: Prices): PriceSource {
  return {
    at: (_agentId, birth) => pricesOf(birth, fleet),
    atFacts: (_agentId, { tariffUsdPerKwh, amortisationUsdPerHour }) => ({
      tariffUsdPerKwh: tariffUsdPerKwh ?? fleet.tariffUsdPerKwh,
      amortisationUsdPerHour: amortisationUsdPerHour ?? fleet.amortisationUsdPerHour,
    }),
    of: (_agentId, { tariffUsdPerKwh, amortisationUsdPerHour }) => ({
      tariffUsdPerKwh: tariffUsdPerKwh ?? fleet.tariffUsdPerKwh,
      amortisationUsdPerHour: amortisationUsdPerHour ?? fleet.amortisationUsdPerHour,
      missing: [],
    }),
    dependsOn: (_agentId, agent) => `${agent.tariffUsdPerKwh} ${agent.amortisationUsdPerHour}`,
    fingerprint: fleetText(fleet),
    gaps: () => [],
  };
}

/** Makes a source tell the prices of agents as they were at the time: where they stood, and what they named as their own. */
export function datedPrices(
  source: PriceSource,
  history: { readonly at: (agentId: string, timeMs: number) => PricedAgent },
): PriceSource {
  return { ...source, at: (agentId, _birth, timeMs) => source.atFacts(agentId, history.at(agentId, timeMs), timeMs) };
}

/** Value by key that is computed again when the time's step changes. */
function eachStep<T>(stepMs: number, compute: (key: string, timeMs: number) => T) {
  const newest = new Map<string, { readonly step: number; readonly value: T }>();
  return (key: string, timeMs: number): T => {
    const step = Math.floor(timeMs / stepMs);
    const known = newest.get(key);
    if (known?.step === step) return known.value;
    const value = compute(key, timeMs);
    newest.set(key, { step, value });
    return value;
  };
}

/** Creates the source of a catalogue without mistakes: tariffs by the agent's region, devices by its id or board. */
export function cataloguePrices(catalogue: PriceCatalogue, fleet: Prices): PriceSource {
  const list = createPriceList(catalogue);
  const gaps = new Map<string, PriceGap>();
  const note = (section: PriceGap["section"], what: string) => {
    const key = JSON.stringify([section, what]);
    gaps.set(key, { section, what, count: (gaps.get(key)?.count ?? 0) + 1 });
  };
  const tariffOf = eachStep(minuteMs, (region, timeMs) => list.energy(region, timeMs, 1));
  const owningOf = eachStep(minuteMs, (names, timeMs) => list.owning(JSON.parse(names) as string[], timeMs, hourMs));
  const of = (agentId: string, agent: PricedAgent, timeMs: number): AgentPrices => {
    const { region, board, tariffUsdPerKwh: tariff, amortisationUsdPerHour: amortisation } = agent;
    const listed = {
      tariff: tariff === null ? tariffOf(region, timeMs) : null,
      owning: amortisation === null ? owningOf(JSON.stringify([agentId, board]), timeMs) : null,
    };
    const missing: MissingPrice[] = [];
    if (tariff === null && listed.tariff === null)
      missing.push({ section: "electricity", what: region === "" ? "any region" : region });
    if (amortisation === null && listed.owning === null)
      missing.push({ section: "devices", what: board === "" ? agentId : board });
    return {
      tariffUsdPerKwh: tariff ?? (listed.tariff === null ? fleet.tariffUsdPerKwh : moneyToNumber(listed.tariff)),
      amortisationUsdPerHour:
        amortisation ?? (listed.owning === null ? fleet.amortisationUsdPerHour : moneyToNumber(listed.owning)),
      missing,
    };
  };
  const atFacts = (agentId: string, agent: PricedAgent, timeMs: number): Prices => {
    const { missing, ...prices } = of(agentId, agent, timeMs);
    for (const { section, what } of missing) note(section, what);
    return prices;
  };
  const pricedModels = new Set(catalogue.devices.map(({ model }) => model));
  return {
    of,
    dependsOn: (agentId, { region, board, tariffUsdPerKwh, amortisationUsdPerHour }) =>
      JSON.stringify([
        region,
        tariffUsdPerKwh,
        amortisationUsdPerHour,
        pricedModels.has(agentId) ? [agentId, board] : board,
      ]),
    fingerprint: JSON.stringify([fleetText(fleet), catalogue]),
    at: (agentId, birth, timeMs) => atFacts(agentId, pricedAgentOf(birth), timeMs),
    atFacts,
    gaps: () => [...gaps.values()].sort((a, b) => b.count - a.count),
  };
}

/**
 * Reads the configured catalogue, if there is one; returns what makes a source for each report.
 * @throws UsageError naming the file and everything that is wrong.
 */
export async function openPrices(path: string | null, fleet: Prices): Promise<() => PriceSource> {
  if (path === null) return () => configuredPrices(fleet);
  const catalogue = parseConfig(PriceCatalogue, await readConfigFile(path), path, checkCatalogue);
  if (catalogue.currency !== "USD")
    throw new UsageError(
      `${path} is not valid:\n  currency: expected USD, in which costs are reported, got "${catalogue.currency}"`,
    );
  return () => cataloguePrices(catalogue, fleet);
}

/** Names what a catalogue has no price for; null when nothing is missing. */
export function explainGaps(gaps: readonly PriceGap[]): string | null {
  if (gaps.length === 0) return null;
  const named = gaps.slice(0, 10).map(({ section, what, count }) => `${what} (${section}, ${count} agent-minutes)`);
  const more = gaps.length > 10 ? ` and ${gaps.length - 10} more` : "";
  return `no price in the catalogue for ${named.join(", ")}${more}: the configured price counts instead`;
}
