import { writeFileSync } from "node:fs";
import { askController } from "#cli/run/ask-controller.ts";
import type { ChargebackView } from "#controller/cost/reports/chargeback.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalChoice, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";

/** Writes a report to the file of --out, else to standard output. */
function deliver(values: OptionValues, report: string): number {
  const path = optionalString(values, "out");
  if (path === undefined) {
    process.stdout.write(report);
    return 0;
  }
  try {
    writeFileSync(path, report, { mode: 0o600 });
  } catch (cause) {
    throw new UsageError(`--out ${path} can't be written`, { cause });
  }
  console.log(`${path} is written`);
  return 0;
}

const queryOf = (given: Readonly<Record<string, string | undefined>>) => {
  const entries = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined);
  // A space is written so that every parser of queries reads it.
  return String(new URLSearchParams(entries)).replaceAll("+", "%20");
};

/** Writes costs as FOCUS 1.2. */
export async function exportCosts(values: OptionValues): Promise<number> {
  if (values["focus"] !== true) throw new UsageError("cost export: expected --focus, the format");
  const query = queryOf({ window: optionalString(values, "window") ?? "month" });
  return deliver(values, (await askController(values, `/api/v1/cost/export?${query}`)) as string);
}

const usd = (amount: number) => amount.toFixed(2);

/** Shows what each tenant has to pay. */
export function chargebackToText({
  month,
  totalUsd,
  unsharedIdleUsd,
  tenants,
  missingEnergyMinutes,
}: ChargebackView): string {
  const rows = tenants.map((each) => [
    ...[each.tenant, cleanText(each.costCentre ?? "-"), usd(each.usedUsd), usd(each.offersUsd), usd(each.idleUsd)],
    ...[usd(each.totalUsd), String(each.requests), each.usdPerMillionTokens?.toFixed(4) ?? "-"],
  ]);
  const names = ["TENANT", "COST CENTRE", "USED", "OFFERS", "IDLE", "US$", "REQUESTS", "A MILLION TOKENS"];
  return [
    `${month}: ${usd(totalUsd)} $`,
    "",
    rows.length === 0 ? "no tenant has any cost" : formatTable(names, rows),
    ...(unsharedIdleUsd === 0 ? [] : ["", `${usd(unsharedIdleUsd)} $ of idle time is charged to no tenant`]),
    ...(missingEnergyMinutes < 1
      ? []
      : [
          "",
          `the energy of ${Math.round(missingEnergyMinutes)} agent-minutes is unknown: the true cost is higher than shown`,
        ]),
  ].join("\n");
}

/** Shows or writes what tenants have to pay for a month. */
export async function chargeback(values: OptionValues): Promise<number> {
  const format = optionalChoice(values, "format", ["text", "json", "csv", "html"]) ?? "text";
  const query = queryOf({
    ...{ month: optionalString(values, "month"), tenant: optionalString(values, "tenant") },
    ...{ idle: optionalChoice(values, "idle", ["weighted", "none"]), format: format === "text" ? "json" : format },
  });
  const answer = await askController(values, `/api/v1/cost/chargeback?${query}`);
  if (format === "text") return deliver(values, `${chargebackToText(answer as ChargebackView)}\n`);
  return deliver(values, format === "json" ? `${JSON.stringify(answer, null, 2)}\n` : (answer as string));
}
