import { type CostCell, costOf } from "../history/cost-history.ts";
import { type CostDay, periodAt } from "../history/sum-costs.ts";
import { type Money, moneyToText } from "../money/money.ts";
import { type CsvCell, figure, text, writeCsv } from "./write-csv.ts";

export interface FocusTerms {
  readonly fleet: string;
  readonly timeZone: string;
  readonly costCentreOf: (tenant: string) => string | null;
}

/** Maximum charges in a file. */
export const maxFocusRows = 100_000;

const columns = [
  ...["AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType"],
  ...["BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId"],
  ...["CapacityReservationStatus", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"],
  ...["ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId"],
  ...["CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType"],
  ...["CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice"],
  ...["EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory"],
  ...["PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"],
  ...["PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId"],
  ...["RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName"],
  ...["ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName"],
  ...["SubAccountType", "Tags", "x_ActiveEnergyKwh", "x_Tokens"],
] as const;
type Column = (typeof columns)[number];

interface Charge {
  readonly region: string;
  readonly tenant: string | null;
  readonly model: string | null;
  /** device: time and energy of the fleet's devices; offer: capacity of others; idle: what nobody used. */
  readonly kind: "device" | "offer" | "idle";
  cost: Money;
  requests: number;
  tokens: number;
  energyKwh: number;
}

const isoOf = (timeMs: number) => new Date(timeMs).toISOString().replace(".000Z", "Z");
/** Decimal that no reader takes for a column of whole numbers. */
const decimal = (value: string) => (value.includes(".") ? value : `${value}.0`);

/** Adds up a day's cells to charges by region, tenant and model; those without cost are left out. */
function chargesOf(cells: Iterable<CostCell>): Charge[] {
  const charges = new Map<string, Charge>();
  const add = (cell: CostCell, kind: Charge["kind"], cost: Money) => {
    const { region, tenant, model } = cell;
    const key = JSON.stringify([region, tenant, model, kind]);
    const charge = charges.get(key) ?? { region, tenant, model, kind, cost: 0n, requests: 0, tokens: 0, energyKwh: 0 };
    charge.cost += cost;
    if (kind !== "offer") {
      charge.requests += cell.requests;
      charge.tokens += cell.tokens;
      charge.energyKwh += cell.energyKwh;
    }
    charges.set(key, charge);
  };
  for (const cell of cells) {
    add(cell, cell.tenant === null ? "idle" : "device", cell.device);
    if (cell.offers !== 0n) add(cell, "offer", costOf(cell) - cell.device);
  }
  return [...charges.values()].filter(({ cost }) => cost !== 0n);
}

function describeCharge({ kind, tenant, model }: Charge): string {
  if (kind === "idle") return "Time and energy of devices that no tenant used";
  return kind === "offer"
    ? `Capacity outside the fleet for model ${model}, tenant ${tenant}`
    : `Device time and energy for model ${model}, tenant ${tenant}`;
}

function rowOf(charge: Charge, day: CostDay, terms: FocusTerms): CsvCell[] {
  const { region, tenant, model, kind, cost, requests, tokens, energyKwh } = charge;
  const { fleet, timeZone, costCentreOf } = terms;
  const month = periodAt("monthly", day.window.startMs, timeZone);
  const amount = figure(decimal(moneyToText(cost)));
  const service = kind === "idle" ? "Idle devices" : kind === "offer" ? "Offers" : "Embedding";
  const sku = model ?? "idle";
  const centre = tenant === null ? null : costCentreOf(tenant);
  const cells: Partial<Record<Column, CsvCell>> = {
    ...{ BilledCost: amount, ContractedCost: amount, EffectiveCost: amount, ListCost: amount },
    // A day of the charge at the price of that day: quantity × unit price is the cost, to the last digit.
    ...{
      PricingQuantity: figure("1.0"),
      PricingUnit: text("Days"),
      ListUnitPrice: amount,
      ContractedUnitPrice: amount,
    },
    ...{ PricingCurrency: text("USD"), PricingCurrencyEffectiveCost: amount, PricingCategory: text("Standard") },
    ...{ BillingAccountId: text(fleet), BillingAccountName: text(fleet), BillingAccountType: text("Fleet") },
    ...{ BillingCurrency: text("USD"), BillingPeriodStart: text(isoOf(month.startMs)) },
    ...{ BillingPeriodEnd: text(isoOf(month.endMs)), ChargeCategory: text("Usage") },
    ...{ ChargeDescription: text(describeCharge(charge)), ChargeFrequency: text("Usage-Based") },
    ...{ ChargePeriodStart: text(isoOf(day.window.startMs)), ChargePeriodEnd: text(isoOf(day.window.endMs)) },
    ...{ InvoiceIssuerName: text(fleet), ProviderName: text(fleet), PublisherName: text(fleet) },
    ...{
      ResourceId: text(`${region}/${sku}`),
      ResourceName: text(sku),
      ResourceType: text(model === null ? "Device" : "Model"),
    },
    ...(region === "" ? {} : { RegionId: text(region), RegionName: text(region) }),
    ...{ ServiceCategory: text("AI and Machine Learning"), ServiceName: text(service) },
    ...{ ServiceSubcategory: text("Generative AI"), SkuId: text(`${sku}/${kind}`), SkuMeter: text(service) },
    SkuPriceId: text(`${sku}/${kind}`),
    ...(kind === "device"
      ? { ConsumedQuantity: figure(decimal(String(requests))), ConsumedUnit: text("Requests") }
      : { ConsumedQuantity: figure(decimal(energyKwh.toFixed(9))), ConsumedUnit: text("kWh") }),
    ...(tenant === null
      ? {}
      : { SubAccountId: text(tenant), SubAccountName: text(tenant), SubAccountType: text("Tenant") }),
    ...(centre === null ? {} : { Tags: text(JSON.stringify({ "cost-centre": centre })) }),
    ...{ x_ActiveEnergyKwh: figure(decimal(energyKwh.toFixed(9))), x_Tokens: figure(tokens) },
  };
  return columns.map((column) => cells[column] ?? figure(""));
}

/** Writes days as FOCUS 1.2 has costs and usage; null when there are more charges than a file may have. */
export function focusCsv(days: readonly CostDay[], terms: FocusTerms): string | null {
  const rows: CsvCell[][] = [];
  for (const day of days) {
    for (const charge of chargesOf(day.hours.flatMap(({ cells }) => cells))) rows.push(rowOf(charge, day, terms));
    if (rows.length > maxFocusRows) return null;
  }
  return writeCsv(columns, rows);
}
