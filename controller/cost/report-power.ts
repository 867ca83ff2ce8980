import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { Birth, PowerModeProfile } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import { createWindowAttribution, EnergyByUse } from "./attribute-window.ts";
import { createNamesToldApart, otherNames } from "./names-told-apart.ts";
import { pricesOf } from "./price-minute.ts";

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
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
        description: "every device in its most capable mode all the time, with the same texts to embed",
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
  /** How far a mode's capacity is used at most, when the cheapest mode is looked for afterwards. */
  readonly targetUtilization: number;
}

export interface PowerReportBuilder {
  /** Takes in a minute's record; the order does not matter. */
  add(minute: MinuteRecord): void;
  report(window: { readonly startMs: number; readonly endMs: number }): PowerReport;
}

const joulesPerKwh = 3_600_000;
/** Names of modes of one agent that are told apart: as many as an introduction holds, and those of another board in its place. */
const mostModes = 64;

interface KnownMode {
  readonly capacityQps: number;
  readonly busyWatts: number;
  readonly idleWatts: number;
}

function knownModes(modes: readonly PowerModeProfile[]): KnownMode[] | null {
  const known = modes.flatMap(({ capacityQps, busyWatts, idleWatts }) =>
    capacityQps !== null && capacityQps > 0 && busyWatts !== null && idleWatts !== null
      ? [{ capacityQps, busyWatts, idleWatts }]
      : [],
  );
  return known.length === modes.length && known.length > 0 ? known : null;
}

/** Power between idle and busy, linear in utilisation. */
function wattsAt({ capacityQps, busyWatts, idleWatts }: KnownMode, demandQps: number): number {
  return idleWatts + (busyWatts - idleWatts) * Math.min(1, demandQps / capacityQps);
}

function leastWatts(modes: readonly KnownMode[], demandQps: number, targetUtilization: number): number {
  const carrying = modes.filter(({ capacityQps }) => demandQps <= capacityQps * targetUtilization);
  const [top] = modes;
  return Math.min(
    ...(carrying.length > 0 ? carrying : top === undefined ? [] : [top]).map((mode) => wattsAt(mode, demandQps)),
  );
}

interface AgentSum {
  energyJ: number;
  topModeJ: number;
  foresightJ: number;
  measuredMs: number;
  readonly msByMode: Map<string, number>;
}

function minutesOf(msByMode: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries(
    [...msByMode].sort(([a], [b]) => a.localeCompare(b)).map(([mode, ms]) => [mode, ms / 60_000]),
  );
}

/**
 * What the choice of power modes saved: energy as measured, beside the same minutes in the top mode and beside the cheapest mode for
 * each minute. Profiles come from the agents' births; an agent without one has nothing to be compared with.
 */
export function createPowerReport(
  births: ReadonlyMap<string, Birth | null>,
  assumptions: PowerAssumptions,
): PowerReportBuilder {
  const agents = new Map<string, AgentSum>();
  const withoutProfile = new Set<string>();
  const attribution = createWindowAttribution();

  const tariffOf = (agentId: string) =>
    pricesOf(births.get(agentId) ?? null, { tariffUsdPerKwh: assumptions.tariffUsdPerKwh, amortisationUsdPerHour: 0 })
      .tariffUsdPerKwh;

  const amounts = (joulesOf: (sum: AgentSum) => number, of: Iterable<[string, AgentSum]> = agents): Amounts => {
    const total = { energyKwh: 0, usd: 0, co2Kg: 0 };
    for (const [agentId, sum] of of) {
      const energyKwh = joulesOf(sum) / joulesPerKwh;
      total.energyKwh += energyKwh;
      total.usd += energyKwh * tariffOf(agentId);
      total.co2Kg += energyKwh * assumptions.co2KgPerKwh;
    }
    return total;
  };

  return {
    add({ agentId, traffic, power }) {
      if (power === null || power.measuredMs <= 0) return;
      let sum = agents.get(agentId);
      if (sum === undefined) {
        sum = { energyJ: 0, topModeJ: 0, foresightJ: 0, measuredMs: 0, msByMode: new Map() };
        agents.set(agentId, sum);
      }
      sum.energyJ += power.energyJ;
      sum.measuredMs += power.measuredMs;
      const isToldApart = sum.msByMode.has(power.modeName) || sum.msByMode.size < mostModes;
      const mode = isToldApart ? power.modeName : otherNames;
      sum.msByMode.set(mode, (sum.msByMode.get(mode) ?? 0) + power.measuredMs);
      attribution.add(agentId, power, tariffOf(agentId));
      const modes = knownModes(births.get(agentId)?.board.powerModes ?? []);
      const [top] = modes ?? [];
      if (modes === null || top === undefined) {
        withoutProfile.add(agentId);
        return;
      }
      const texts = traffic.models.reduce((total, model) => total + model.texts, 0);
      const demandQps = traffic.observedMs > 0 ? texts / (traffic.observedMs / 1000) : 0;
      const seconds = power.measuredMs / 1000;
      sum.topModeJ += wattsAt(top, demandQps) * seconds;
      sum.foresightJ += leastWatts(modes, demandQps, assumptions.targetUtilization) * seconds;
    },
    report(window) {
      const actual = amounts((sum) => sum.energyJ);
      const comparable = agents.size > 0 && withoutProfile.size === 0;
      const top = amounts((sum) => sum.topModeJ);
      const foresight = amounts((sum) => sum.foresightJ);
      const msByMode = new Map<string, number>();
      const modeNames = createNamesToldApart({ ofAgent: mostModes, inAll: 1024 });
      for (const [agentId, sum] of agents) {
        for (const [each, ms] of sum.msByMode) {
          const mode = modeNames.of(agentId, each);
          msByMode.set(mode, (msByMode.get(mode) ?? 0) + ms);
        }
      }
      return {
        window: { startMs: Math.round(window.startMs), endMs: Math.round(window.endMs) },
        measuredMinutes: [...agents.values()].reduce((ms, sum) => ms + sum.measuredMs, 0) / 60_000,
        actual,
        alwaysTopMode: comparable
          ? { ...top, savedShare: top.energyKwh > 0 ? 1 - actual.energyKwh / top.energyKwh : 0 }
          : null,
        foresight: comparable
          ? { ...foresight, actualRatio: foresight.energyKwh > 0 ? actual.energyKwh / foresight.energyKwh : 1 }
          : null,
        unknownReason: comparable
          ? null
          : agents.size === 0
            ? "no minute with measured energy is on record in this window"
            : `capacity and watts of the modes are not known of ${[...withoutProfile].sort().join(", ")}`,
        minutesByMode: minutesOf(msByMode),
        energyByUse: attribution.report(),
        agents: [...agents]
          .sort(([a], [b]) => a.localeCompare(b))
          .map((entry) => ({
            agentId: entry[0],
            ...amounts((sum) => sum.energyJ, [entry]),
            minutesByMode: minutesOf(entry[1].msByMode),
          })),
        assumptions: { ...assumptions },
      };
    },
  };
}
