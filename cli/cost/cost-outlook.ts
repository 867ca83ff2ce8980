import { askController } from "#cli/run/ask-controller.ts";
import type { JudgedDay } from "#controller/cost/anomaly/find-anomalies.ts";
import type { Digest } from "#controller/cost/digest/make-digest.ts";
import type { AmountRange, MonthlySpend } from "#controller/cost/spend/forecast-spend.ts";
import { cleanText } from "#platform/clean-text.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";

const usd = (amount: number | null) => amount?.toFixed(2) ?? "-";
const rangeOf = ({ expectedUsd, lowUsd, highUsd }: AmountRange) => [usd(expectedUsd), usd(lowUsd), usd(highUsd)];

/** Shows what this month and the next will cost. */
export function forecastToText({ month, spentUsd, rest, total, next, reason }: MonthlySpend): string {
  const rows = [
    [`${month} so far`, usd(spentUsd), "", ""],
    [`${month}, to come`, ...rangeOf(rest)],
    [`${month}, all`, ...rangeOf(total)],
    [next.month, ...rangeOf(next)],
  ];
  return [formatTable(["OF", "US$", "80 % FROM", "TO"], rows), "", wrapText(reason)].join("\n");
}

/** Shows the forecast of spend. */
export async function showForecast(values: OptionValues): Promise<number> {
  const answer = (await askController(values, "/api/v1/cost/forecast")) as MonthlySpend;
  console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : forecastToText(answer));
  return 0;
}

const scopeToText = ({ kind, name }: JudgedDay["scope"]) =>
  kind === "fleet" ? kind : `${kind} ${cleanText(name ?? "")}`;

/** Shows days that cost more than was expected. */
export function anomaliesToText(days: readonly JudgedDay[]): string {
  if (days.length === 0) return "no day cost more than expected";
  return days
    .map(({ date, scope, reason }) => wrapText(`${date} ${scopeToText(scope)}: ${cleanText(reason)}`))
    .join("\n");
}

/** Shows anomalies of a window. */
export async function showAnomalies(values: OptionValues): Promise<number> {
  const query = new URLSearchParams({ window: optionalString(values, "window") ?? "30d" });
  const path = `/api/v1/cost/anomalies?${String(query).replaceAll("+", "%20")}`;
  const answer = (await askController(values, path)) as { readonly days: readonly JudgedDay[] };
  console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : anomaliesToText(answer.days));
  return 0;
}

/** Shows the digest of yesterday, and with --tell has the notifiers told. */
export async function showDaily(values: OptionValues): Promise<number> {
  const path = "/api/v1/cost/digest";
  const answer = (await askController(values, path, { method: values["tell"] === true ? "POST" : "GET" })) as Digest & {
    readonly told?: number;
  };
  if (values["json"] === true) console.log(JSON.stringify(answer, null, 2));
  else
    console.log(
      answer.text
        .split("\n")
        .map((line) => wrapText(cleanText(line)))
        .join("\n"),
    );
  if (answer.told !== undefined && values["json"] !== true) console.log(`${answer.told} notifiers are being sent it`);
  return 0;
}
