import { reasonOf } from "#cli/access/with-controller-store.ts";
import { askController } from "#cli/run/ask-controller.ts";
import type { Baseline } from "#controller/cost/baseline/baselines.ts";
import type { Comparison } from "#controller/cost/baseline/decide-comparison.ts";
import { costDimensions } from "#controller/cost/history/sum-costs.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalChoice, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";

const path = "/api/v1/cost/baselines";
/** Moment in UTC; of a day's begin only its date. */
const isoOf = (timeMs: number) => `${new Date(timeMs).toISOString().slice(0, 16)}Z`.replace("T00:00Z", "");

function onlyName(words: readonly string[]): string {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0)
    throw new UsageError(`expected the name of one baseline, got "${words.join(" ")}"`);
  return name;
}

/** Shows baselines in a table. */
export function baselinesToText(baselines: readonly Baseline[]): string {
  if (baselines.length === 0) return "there are no baselines: thormesh cost baseline set NAME --window lastmonth";
  const rows = baselines.map(({ name, startMs, endMs, days, usd, requests }) => [
    ...[name, isoOf(startMs), isoOf(endMs), days.toFixed(1), usd.toFixed(2), String(requests)],
  ]);
  return formatTable(["BASELINE", "FROM", "TO", "DAYS", "US$", "REQUESTS"], rows);
}

/** Keeps, lists or removes baselines. */
export async function baseline(values: OptionValues, [action, ...rest]: readonly string[]): Promise<number> {
  const isJson = values["json"] === true;
  switch (action) {
    case "set": {
      const body = { name: onlyName(rest), window: optionalString(values, "window") ?? "lastmonth" };
      const answer = (await askController(values, path, { method: "POST", body, ...reasonOf(values) })) as {
        readonly baseline: Baseline;
      };
      console.log(isJson ? JSON.stringify(answer, null, 2) : baselinesToText([answer.baseline]));
      return 0;
    }
    case "list": {
      if (rest.length > 0) throw new UsageError(`cost baseline list: expected nothing more, got "${rest.join(" ")}"`);
      const answer = (await askController(values, path)) as { readonly baselines: readonly Baseline[] };
      console.log(isJson ? JSON.stringify(answer, null, 2) : baselinesToText(answer.baselines));
      return 0;
    }
    case "delete": {
      const name = onlyName(rest);
      await askController(values, `${path}/${encodeURIComponent(name)}`, { method: "DELETE", ...reasonOf(values) });
      console.log(isJson ? JSON.stringify({ deleted: name }) : `baseline ${name} is removed`);
      return 0;
    }
    default:
      throw unexpectedWord("set, list or delete", action, ["set", "list", "delete"]);
  }
}

/** Shows what changed since a baseline. */
export function comparisonToText({
  parts,
  reason,
  yearlySavedAtSameRequestsUsd: yearly,
}: Comparison & { readonly reason: string }): string {
  const rows = parts
    .slice(0, 20)
    .map(({ name, beforeUsdPerDay, afterUsdPerDay, savedUsdPerDay }) => [
      cleanText(name) || "idle",
      ...[beforeUsdPerDay, afterUsdPerDay, savedUsdPerDay].map((amount) => amount.toFixed(4)),
    ]);
  return [
    formatTable(["OF", "BEFORE A DAY", "NOW A DAY", "SAVED A DAY"], rows),
    "",
    wrapText(reason),
    ...(yearly === null ? [] : [`at the present request rate: ${yearly.toFixed(2)} $ saved a year`]),
  ].join("\n");
}

/** Compares a time with a baseline. */
export async function compare(values: OptionValues, words: readonly string[]): Promise<number> {
  const query = new URLSearchParams({
    ...{ baseline: onlyName(words), window: optionalString(values, "window") ?? "7d" },
    by: optionalChoice(values, "by", costDimensions) ?? "tenant",
  });
  const answer = (await askController(
    values,
    `/api/v1/cost/compare?${String(query).replaceAll("+", "%20")}`,
  )) as Comparison & { readonly reason: string };
  console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : comparisonToText(answer));
  return 0;
}
