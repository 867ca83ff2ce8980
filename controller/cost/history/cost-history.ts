import type { Money } from "../money/money.ts";

/** Cost of a part of an hour's or a day's bill: a tenant's use of a model on an agent, or what the agent cost beside that. */
export interface CostCell {
  readonly region: string;
  readonly agentId: string;
  /** Null: the device's time and energy that nobody used. */
  readonly tenant: string | null;
  readonly model: string | null;
  /** Device's part, and what offers were paid. */
  readonly device: Money;
  readonly offers: Money;
  readonly requests: number;
  readonly tokens: number;
  readonly energyKwh: number;
  /** Time for which the device computed. */
  readonly computeMs: number;
}

/** Cells of an hour; they add up to the fleet's cost in it. */
export interface CostHour {
  readonly startMs: number;
  readonly cells: readonly CostCell[];
  /** Agent-minutes that are on record, and of them those whose energy is unknown. */
  readonly observedMinutes: number;
  readonly missingEnergyMinutes: number;
}

/** The one way by which budgets, alerts, forecasts and reports read what was spent. */
export interface CostHistory {
  /** Hours with records that start in [startMs, endMs), by time. */
  hours(startMs: number, endMs: number): Promise<readonly CostHour[]>;
}

export const costOf = ({ device, offers }: Pick<CostCell, "device" | "offers">): Money => device + offers;
