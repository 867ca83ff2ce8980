import { type Static, Type } from "@sinclair/typebox";
import { joulesPerKwh } from "#platform/energy.ts";
import { orNull } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { workOf } from "#protocol/demand.ts";
import type { Birth, PowerModeProfile } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import { createWindowAttribution, EnergyByUse } from "./attribute-window.ts";
import { energyCost, type Money, moneyToNumber, productOf } from "./money/money.ts";
import { createNamesToldApart, otherNames } from "./names-told-apart.ts";
import { figuresOf, type ModeFigures, wattsAt } from "./price-all-on.ts";
import { configuredPrices, type PriceSource } from "./prices/price-source.ts";
import { ReferenceScale } from "./reference-scale.ts";

const EnergyAmounts = Type.Object({
  energyKwh: Type.Number(),
  usd: Type.Number(),
  co2Kg: Type.Number(),
});
const MinutesByMode = Type.Record(Type.String(), Type.Number());

export const PowerReport = Type.Object(
  {
    window: Type.Object({ startMs: Type.Integer(), endMs: Type.Integer() }),
    measuredMinutes: Type.Number({ description: "agent-minutes whose energy is known; all figures are of these" }),
    actual: EnergyAmounts,
    alwaysTopMode: orNull(
      Type.Composite([EnergyAmounts, Type.Object({ savedShare: Type.Number() })], {
        description:
          "every device in its most capable mode all the time, with the same texts to embed; by its profile, scaled by measured ÷ modelled energy of the same minutes",
      }),
    ),
    foresight: orNull(
      Type.Composite([EnergyAmounts, Type.Object({ actualRatio: Type.Number() })], {
        description:
          "each minute in the mode that carries that minute's texts with the least power, known beforehand and changed for free: a bound, not a policy",
      }),
    ),
    unknownReason: orNull(Type.String({ description: "why there is nothing to compare with" })),
    minutesByMode: MinutesByMode,
    energyByUse: EnergyByUse,
    agents: Type.Array(
      Type.Object({ agentId: Type.String(), ...EnergyAmounts.properties, minutesByMode: MinutesByMode }),
    ),
    assumptions: Type.Object({
      tariffUsdPerKwh: Type.Number(),
      co2KgPerKwh: Type.Number(),
      targetUtilization: Type.Number(),
    }),
  },
  { $id: "PowerReport" },
);
export type PowerReport = Static<typeof PowerReport>;
type Amounts = Static<typeof EnergyAmounts>;

export interface PowerAssumptions {
  readonly tariffUsdPerKwh: number;
  readonly co2KgPerKwh: number;
  /** Share of a mode's capacity that may be used when the cheapest mode is determined afterwards. */
  readonly targetUtilization: number;
}

/** Maximum mode names kept per agent: those of a birth, and of a replacement board. */
const maxModes = 64;

function knownModes(modes: readonly PowerModeProfile[]): ModeFigures[] | null {
  const known = modes.map(figuresOf).filter((mode) => mode !== null);
  return known.length === modes.length && known.length > 0 ? known : null;
}

const wattsFor = (mode: ModeFigures, workQps: number) => wattsAt(mode, Math.min(1, workQps / mode.capacityQps));

function leastWatts(modes: readonly ModeFigures[], workQps: number, targetUtilization: number): number {
  const carrying = modes.filter(({ capacityQps }) => workQps <= capacityQps * targetUtilization);
  const open = carrying.length > 0 ? carrying : modes.slice(0, 1);
  return Math.min(...open.map((mode) => wattsFor(mode, workQps)));
}

interface AgentSum {
  /** Cost of energyJ. */
  cost: Money;
  /** Tariff of the newest minute. */
  tariffUsdPerKwh: number;
  energyJ: number;
  topModeJ: number;
  foresightJ: number;
  measuredMs: number;
  readonly msByMode: Map<string, number>;
}

function minutesOf(msByMode: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries(
    [...msByMode].sort(([a], [b]) => a.localeCompare(b)).map(([mode, ms]) => [mode, ms / minuteMs]),
  );
}

/**
 * Reports what the choice of power modes saved: energy as measured, beside the same minutes in the top mode and beside the cheapest mode for
 * each minute. Profiles come from the agents' births; an agent without one has nothing to be compared with.
 */
export class PowerReportBuilder {
  readonly #births: ReadonlyMap<string, Birth | null>;
  readonly #assumptions: PowerAssumptions;
  readonly #prices: PriceSource;
  readonly #agents = new Map<string, AgentSum>();
  readonly #withoutProfile = new Set<string>();
  readonly #attribution = createWindowAttribution();
  readonly #scale = new ReferenceScale();

  constructor(
    births: ReadonlyMap<string, Birth | null>,
    assumptions: PowerAssumptions,
    prices: PriceSource = configuredPrices({ tariffUsdPerKwh: assumptions.tariffUsdPerKwh, amortisationUsdPerHour: 0 }),
  ) {
    this.#births = births;
    this.#assumptions = assumptions;
    this.#prices = prices;
  }

  /** Takes in a minute's record, in any order. */
  add({ agentId, role, traffic, power }: MinuteRecord): void {
    if (power === null || power.measuredMs <= 0) return;
    let sum = this.#agents.get(agentId);
    if (sum === undefined) {
      sum = {
        cost: 0n,
        tariffUsdPerKwh: 0,
        energyJ: 0,
        topModeJ: 0,
        foresightJ: 0,
        measuredMs: 0,
        msByMode: new Map(),
      };
      this.#agents.set(agentId, sum);
    }
    sum.energyJ += power.energyJ;
    sum.measuredMs += power.measuredMs;
    const isToldApart = sum.msByMode.has(power.modeName) || sum.msByMode.size < maxModes;
    const mode = isToldApart ? power.modeName : otherNames;
    sum.msByMode.set(mode, (sum.msByMode.get(mode) ?? 0) + power.measuredMs);
    const birth = this.#births.get(agentId) ?? null;
    const { tariffUsdPerKwh } = this.#prices.at(agentId, birth, traffic.minuteStartMs);
    sum.tariffUsdPerKwh = tariffUsdPerKwh;
    sum.cost += energyCost(power.energyJ, tariffUsdPerKwh);
    this.#attribution.add(agentId, power, tariffUsdPerKwh);
    const modes = knownModes(this.#births.get(agentId)?.board.powerModes ?? []);
    const [top] = modes ?? [];
    if (modes === null || top === undefined) {
      this.#withoutProfile.add(agentId);
      return;
    }
    const workQps = traffic.observedMs > 0 ? workOf(traffic) / (traffic.observedMs / 1000) : 0;
    const seconds = power.measuredMs / 1000;
    const own = modes.find(({ name }) => name === power.modeName);
    if (role === "active" && own !== undefined)
      this.#scale.add(agentId, power.energyJ / joulesPerKwh, (wattsFor(own, workQps) * seconds) / joulesPerKwh);
    sum.topModeJ += wattsFor(top, workQps) * seconds;
    sum.foresightJ += leastWatts(modes, workQps, this.#assumptions.targetUtilization) * seconds;
  }

  report(window: { readonly startMs: number; readonly endMs: number }): PowerReport {
    const sums = [...this.#agents];
    const actual = this.#amounts((sum) => sum.energyJ);
    const top = this.#amounts((sum, agentId) => sum.topModeJ * this.#scale.of(agentId));
    const foresight = this.#amounts((sum, agentId) => sum.foresightJ * this.#scale.of(agentId));
    const unknownReason = this.#unknownReason();
    const ifKnown = <T>(compared: T): T | null => (unknownReason === null ? compared : null);
    return {
      window: { startMs: Math.round(window.startMs), endMs: Math.round(window.endMs) },
      measuredMinutes: sums.reduce((ms, [, sum]) => ms + sum.measuredMs, 0) / minuteMs,
      actual,
      alwaysTopMode: ifKnown({ ...top, savedShare: top.energyKwh > 0 ? 1 - actual.energyKwh / top.energyKwh : 0 }),
      foresight: ifKnown({
        ...foresight,
        actualRatio: foresight.energyKwh > 0 ? actual.energyKwh / foresight.energyKwh : 1,
      }),
      unknownReason,
      minutesByMode: this.#minutesByMode(),
      energyByUse: this.#attribution.report(),
      agents: sums
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([agentId, sum]) => ({
          agentId,
          ...this.#amounts(({ energyJ }) => energyJ, [[agentId, sum]]),
          minutesByMode: minutesOf(sum.msByMode),
        })),
      assumptions: { ...this.#assumptions },
    };
  }

  /** Mean tariff of an agent's energy; the newest tariff if it used none. */
  #tariffOf({ cost, energyJ, tariffUsdPerKwh }: AgentSum): number {
    return energyJ > 0 ? (moneyToNumber(cost) / energyJ) * joulesPerKwh : tariffUsdPerKwh;
  }

  #amounts(
    joulesOf: (sum: AgentSum, agentId: string) => number,
    of: Iterable<[string, AgentSum]> = this.#agents,
  ): Amounts {
    const total = { energyKwh: 0, co2Kg: 0 };
    let cost: Money = 0n;
    for (const [agentId, sum] of of) {
      const energyKwh = joulesOf(sum, agentId) / joulesPerKwh;
      total.energyKwh += energyKwh;
      cost += productOf(energyKwh, this.#tariffOf(sum));
      total.co2Kg += energyKwh * this.#assumptions.co2KgPerKwh;
    }
    return { ...total, usd: moneyToNumber(cost) };
  }

  #minutesByMode(): Record<string, number> {
    const msByMode = new Map<string, number>();
    const names = createNamesToldApart({ ofAgent: maxModes, inAll: 1024 });
    for (const [agentId, sum] of this.#agents) {
      for (const [each, ms] of sum.msByMode) {
        const mode = names.of(agentId, each);
        msByMode.set(mode, (msByMode.get(mode) ?? 0) + ms);
      }
    }
    return minutesOf(msByMode);
  }

  /** Reason why there is nothing to compare with; null when there is. */
  #unknownReason(): string | null {
    if (this.#agents.size === 0) return "no minute with measured energy is on record in this window";
    if (this.#withoutProfile.size === 0) return null;
    return `capacity and watts of the modes are unknown of ${[...this.#withoutProfile].sort().join(", ")}`;
  }
}
