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
    activatePerMinute: amount("100%", "max agents that are told to serve"),
    standByPerMinute: amount("25%", "max agents that are put on standby, less those that are not ready"),
    modesPerMinute: amount("100%", "max agents that are given another power mode"),
  },
  { ...strict, default: {}, description: "Changes that one minute may bring." },
);
export type DisruptionBudget = Static<typeof DisruptionBudget>;

const acts = <T extends TSchema>(schema: T) =>
  Type.Object({ activate: schema, standBy: schema, modes: schema }, { ...strict, default: {} });

/** Input of `decideDisruptionBudget`. */
export const DisruptionBudgetInput = Type.Object(
  {
    budget: DisruptionBudget,
    fleetSize: Type.Integer({ ...count, description: "agents that are known" }),
    notReady: Type.Integer({ ...count, default: 0, description: "agents meant to serve that can't now" }),
    lastMinute: acts(Type.Integer({ ...count, default: 0 })),
    acts: acts(Type.Array(Type.String(), { default: [] })),
    exempt: Type.Array(Type.String(), { default: [], description: "agents whose change is not counted" }),
  },
  strict,
);
export type DisruptionBudgetInput = Static<typeof DisruptionBudgetInput>;
