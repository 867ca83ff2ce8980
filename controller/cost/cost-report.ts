import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import { RoutedTraffic } from "#protocol/messages.ts";

const Usd = Type.Number({ minimum: 0 });

// Elysia infers no type from a union whose members are not a literal tuple, so it is given.
const RouteKind = Type.Unsafe<RoutedTraffic["kind"]>(RoutedTraffic.properties.kind);

const amounts = {
  energyKwh: Type.Number({ minimum: 0 }),
  energyUsd: Usd,
  amortisationUsd: Usd,
  offersUsd: Type.Number({
    minimum: 0,
    description:
      "price of the requests that offers outside the fleet answered, by mesh.offers of the agents they entered at",
  }),
  totalUsd: Type.Number({ minimum: 0, description: "energy, amortisation and offers" }),
};

const Amounts = Type.Object(amounts);

const AgentCost = Type.Object({
  agentId: Type.String(),
  ...amounts,
  requests: Type.Integer(),
  usdPer1000Requests: orNull(Usd),
  observedMinutes: Type.Number(),
  /** Minutes for which the agent was there and its power is unknown. */
  missingEnergyMinutes: Type.Number(),
});

const use = {
  totalUsd: Usd,
  usedUsd: Type.Number({
    minimum: 0,
    description:
      "of totalUsd, what it used: energy above idle, the device's time while it computed, and offers; as /allocation has it",
  }),
  idleUsd: Type.Number({
    description: "of totalUsd, its share of what devices cost beside that in minutes in which it was served",
  }),
  offersUsd: Type.Number({ minimum: 0, description: "of usedUsd, what offers were paid for its own requests" }),
  energyKwh: Type.Number({
    description: "all energy of minutes with requests, idle draw included, by share of compute time",
  }),
  activeKwh: Type.Number({
    description: "of energyKwh, what was drawn above idle, as the agents attributed it: the power report's activeKwh",
  }),
  requests: Type.Integer(),
  tokens: Type.Integer(),
  usdPer1000Requests: orNull(Usd),
};

const ModelCost = Type.Object({ model: Type.String(), ...use });
const TenantCost = Type.Object({ tenant: Type.String(), ...use });

export const CostReport = Type.Object(
  {
    window: Type.Object({ startMs: Type.Integer(), endMs: Type.Integer() }),
    currency: Type.Literal("USD"),
    ...amounts,
    requests: Type.Integer(),
    usdPer1000Requests: orNull(Usd),
    observedMinutes: Type.Number({ description: "agent-minutes that are on record" }),
    missingEnergyMinutes: Type.Number({
      description: "agent-minutes whose energy is unknown: their energy costs more than is shown",
    }),
    routes: Type.Array(Type.Object({ kind: RouteKind, requests: Type.Integer(), texts: Type.Integer(), usd: Usd }), {
      description:
        "requests that were not answered where they entered, by who did. Offers add up to offersUsd; the price of peers is no money spent, as their energy and amortisation are in the total already",
    }),
    byUse: Type.Object(
      { serving: Amounts, idle: Amounts, standby: Amounts },
      {
        description:
          "serving: minutes with requests or with work for other agents; idle: active without any; standby: not meant to serve. They add up to the total",
      },
    ),
    agents: Type.Array(AgentCost, { description: "add up to the total" }),
    models: Type.Array(ModelCost, {
      description: "by share of compute time; with byUse.idle and byUse.standby they add up to the total",
    }),
    tenants: Type.Array(TenantCost, {
      description: "the same by tenant; default: requests without a key that is a tenant's",
    }),
    allOn: orNull(
      Type.Object(
        {
          ...amounts,
          savedUsd: Type.Number({ description: "all-on total less the actual one" }),
          savedEnergyKwh: Type.Number(),
          meanUtilization: Type.Number(),
        },
        {
          description:
            "the same agents, minutes and requests with every agent on in its most capable mode; energy for the measured time only, by the profiles, scaled by measured ÷ modelled energy of the same minutes, so that both are comparable",
        },
      ),
    ),
    allOnUnknownReason: orNull(Type.String({ description: "why there is no all-on figure" })),
    prices: Type.Object(
      { tariffUsdPerKwh: Usd, amortisationUsdPerHour: Usd },
      { description: "the configured ones: those of an agent or of the catalogue come first" },
    ),
    priceGaps: Type.Array(Type.Object({ section: Type.String(), what: Type.String(), count: Type.Integer() }), {
      description:
        "what the catalogue has no price for, with the agent-minutes that the configured price was applied to",
    }),
  },
  { $id: "CostReport" },
);
export type CostReport = Static<typeof CostReport>;
