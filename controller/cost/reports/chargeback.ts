import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import type { CostHour } from "../history/cost-history.ts";
import { type Money, moneyToNumber, moneyToText, splitMoney, sumOf } from "../money/money.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import { figure, text, writeCsv } from "./write-csv.ts";

/** Sums of a tenant's model, or of a tenant. */
interface Sum {
  used: Money;
  offers: Money;
  requests: number;
  tokens: number;
  energyKwh: number;
}

/** Amount of a tenant or of one of its models. */
export interface ChargedLine extends Readonly<Sum> {
  /** Share of the idle time. */
  readonly idle: Money;
  readonly total: Money;
}

export interface ChargedTenant extends ChargedLine {
  readonly tenant: string;
  readonly costCentre: string | null;
  readonly models: readonly (ChargedLine & { readonly model: string })[];
}

/** Chargeback of a month; tenants and `unshared` add up to `total`. */
export interface Chargeback {
  readonly month: string;
  readonly window: TimeWindow;
  readonly total: Money;
  /** Idle time that no tenant bears. */
  readonly unshared: Money;
  readonly tenants: readonly ChargedTenant[];
  readonly missingEnergyMinutes: number;
}

const nothing = (): Sum => ({ used: 0n, offers: 0n, requests: 0, tokens: 0, energyKwh: 0 });

/** Splits the cost of hours between tenants; idle time by their use of devices, or not at all. */
export function chargeBack(
  hours: readonly CostHour[],
  terms: {
    readonly month: string;
    readonly window: TimeWindow;
    readonly sharesIdle: boolean;
    readonly costCentreOf: (tenant: string) => string | null;
  },
): Chargeback {
  const sums = new Map<string, Map<string, Sum>>();
  let idle = 0n;
  for (const { cells } of hours)
    for (const { tenant, model, device, offers, requests, tokens, energyKwh } of cells) {
      if (tenant === null) {
        idle += device + offers;
        continue;
      }
      const models = sums.get(tenant) ?? new Map<string, Sum>();
      sums.set(tenant, models);
      const sum = models.get(model ?? "") ?? nothing();
      models.set(model ?? "", sum);
      sum.used += device;
      sum.offers += offers;
      sum.requests += requests;
      sum.tokens += tokens;
      sum.energyKwh += energyKwh;
    }
  const lines = [...sums].flatMap(([tenant, models]) => [...models].map(([model, sum]) => ({ tenant, model, sum })));
  const shares = terms.sharesIdle
    ? splitMoney(
        idle,
        lines.map(({ sum }) => sum.used),
      )
    : null;
  const charged = lines.map(({ tenant, model, sum }, index) => {
    const share = shares?.[index] ?? 0n;
    return { tenant, model, ...sum, idle: share, total: sum.used + sum.offers + share };
  });
  const tenants = [...sums.keys()].map((tenant): ChargedTenant => {
    const own = charged.filter((line) => line.tenant === tenant);
    const add = (of: (line: ChargedLine) => number) => own.reduce((sum, line) => sum + of(line), 0);
    const money = (of: (line: ChargedLine) => Money) => sumOf(own.map(of));
    return {
      ...{ tenant, costCentre: terms.costCentreOf(tenant), used: money(({ used }) => used) },
      ...{
        offers: money(({ offers }) => offers),
        idle: money((line) => line.idle),
        total: money(({ total }) => total),
      },
      ...{ requests: add(({ requests }) => requests), tokens: add(({ tokens }) => tokens) },
      energyKwh: add(({ energyKwh }) => energyKwh),
      models: own.map(({ tenant: _, ...line }) => line).sort((a, b) => (a.total < b.total ? 1 : -1)),
    };
  });
  const unshared = shares === null ? idle : 0n;
  return {
    ...{ month: terms.month, window: terms.window, unshared },
    total: sumOf(tenants.map(({ total }) => total)) + unshared,
    tenants: tenants.sort((a, b) => (a.total < b.total ? 1 : -1)),
    missingEnergyMinutes: hours.reduce((sum, hour) => sum + hour.missingEnergyMinutes, 0),
  };
}

/** Price per unit of a line; null without any units. */
export const perUnit = (total: Money, count: number, of: number): number | null =>
  count > 0 ? (moneyToNumber(total) * of) / count : null;

const line = {
  usedUsd: Type.Number({ description: "device time and energy above idle" }),
  offersUsd: Type.Number({ description: "capacity outside the fleet" }),
  idleUsd: Type.Number({ description: "share of the time that nobody used" }),
  totalUsd: Type.Number(),
  requests: Type.Integer(),
  tokens: Type.Integer(),
  energyKwh: Type.Number({ description: "above idle" }),
  usdPerRequest: orNull(Type.Number()),
  usdPerMillionTokens: orNull(Type.Number()),
};

export const ChargebackView = Type.Object({
  month: Type.String(),
  window: Type.Object({ startMs: Type.Number(), endMs: Type.Number() }),
  currency: Type.Literal("USD"),
  totalUsd: Type.Number({ description: "tenants and unsharedIdleUsd add up to it" }),
  unsharedIdleUsd: Type.Number({ description: "time that nobody used and no tenant bears" }),
  missingEnergyMinutes: Type.Number({ description: "agent-minutes that cost more than is shown" }),
  tenants: Type.Array(
    Type.Object({
      tenant: Type.String(),
      costCentre: orNull(Type.String()),
      ...line,
      models: Type.Array(Type.Object({ model: Type.String(), ...line })),
    }),
  ),
});
export type ChargebackView = Static<typeof ChargebackView>;

function lineView({ used, offers, idle, total, requests, tokens, energyKwh }: ChargedLine) {
  return {
    ...{ usedUsd: moneyToNumber(used), offersUsd: moneyToNumber(offers), idleUsd: moneyToNumber(idle) },
    ...{ totalUsd: moneyToNumber(total), requests, tokens, energyKwh },
    ...{ usdPerRequest: perUnit(total, requests, 1), usdPerMillionTokens: perUnit(total, tokens, 1e6) },
  };
}

/** Chargeback as JSON has it. */
export function chargebackView({
  month,
  window,
  total,
  unshared,
  tenants,
  missingEnergyMinutes,
}: Chargeback): ChargebackView {
  return {
    ...{ month, window, currency: "USD", totalUsd: moneyToNumber(total), unsharedIdleUsd: moneyToNumber(unshared) },
    missingEnergyMinutes,
    tenants: tenants.map(({ tenant, costCentre, models, ...of }) => ({
      ...{ tenant, costCentre, ...lineView(of) },
      models: models.map(({ model, ...each }) => ({ model, ...lineView(each) })),
    })),
  };
}

/** Chargeback as CSV: a row for each tenant's model, one for idle time that no tenant bears. */
export function chargebackCsv({ month, unshared, tenants }: Chargeback): string {
  const names = [
    ...["month", "tenant", "costCentre", "model", "usedUsd", "offersUsd", "idleUsd", "totalUsd", "requests", "tokens"],
    ...["energyKwh"],
  ];
  const rows = tenants.flatMap(({ tenant, costCentre, models }) =>
    models.map((each) => [
      ...[text(month), text(tenant), text(costCentre ?? ""), text(each.model)],
      ...[each.used, each.offers, each.idle, each.total].map((amount) => figure(moneyToText(amount))),
      ...[figure(each.requests), figure(each.tokens), figure(each.energyKwh)],
    ]),
  );
  const rest = [
    ...[text(month), text(""), text(""), text("")],
    ...[0n, 0n, unshared, unshared].map((amount) => figure(moneyToText(amount))),
    ...[figure(0), figure(0), figure(0)],
  ];
  return writeCsv(names, unshared === 0n ? rows : [...rows, rest]);
}
