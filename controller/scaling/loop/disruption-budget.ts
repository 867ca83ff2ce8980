import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";

const count = { minimum: 0, maximum: 1_000_000 } as const;

/** Schema of a number, or of a share of the fleet such as "25%". */
const amount = (byDefault: string, description: string) =>
  Type.Union([Type.Integer(count), Type.String({ pattern: "^([0-9]|[1-9][0-9]|100)%$" })], {
    default: byDefault,
    description: `${description}; a number, or a share of the fleet`,
  });
export type BudgetAmount = number | string;

/** Most changes that a minute allows, by kind. */
export const DisruptionBudget = Type.Object(
  {
    activatePerMinute: amount("100%", "maximum number of agents told to serve"),
    standByPerMinute: amount("25%", "maximum number of agents put on standby, less those that are not ready"),
    modesPerMinute: amount("100%", "maximum number of agents given another power mode"),
  },
  { ...strict, default: {}, description: "Maximum changes per minute." },
);
export type DisruptionBudget = Static<typeof DisruptionBudget>;

const acts = <T extends TSchema>(schema: T) =>
  Type.Object({ activate: schema, standBy: schema, modes: schema }, { ...strict, default: {} });

/** Input of `decideDisruptionBudget`. */
export const DisruptionBudgetInput = Type.Object(
  {
    budget: DisruptionBudget,
    fleetSize: Type.Integer({ ...count, description: "number of known agents" }),
    notReady: Type.Integer({
      ...count,
      default: 0,
      description: "number of agents that should serve but can't at present",
    }),
    lastMinute: acts(Type.Integer({ ...count, default: 0 })),
    acts: acts(Type.Array(Type.String(), { default: [] })),
    exempt: Type.Array(Type.String(), { default: [], description: "ids of agents whose change is not counted" }),
  },
  strict,
);
export type DisruptionBudgetInput = Static<typeof DisruptionBudgetInput>;
