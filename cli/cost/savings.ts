import { askController, controllerUrlOption } from "#cli/run/ask-controller.ts";
import type { Saving } from "#controller/cost/savings/saving.ts";
import { cleanText } from "#platform/clean-text.ts";
import type { Command } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";

/** Shows advice: a table, and the evidence of each. */
export function savingsToText(savings: readonly Saving[]): string {
  if (savings.length === 0) return "no savings found; advice on devices needs a day of records, on models 30 days";
  const rows = savings.map(({ yearlyUsd, risk, effort, kind, target }, index) => [
    ...[String(index + 1), kind, cleanText(target), yearlyUsd.toFixed(2).padStart(10), risk, effort],
  ]);
  const evidence = savings.map(({ action, evidence: of }, index) =>
    wrapText(`${index + 1}. ${cleanText(action)}: ${cleanText(of)}`),
  );
  return [formatTable(["", "KIND", "OF", "US$ A YEAR", "RISK", "EFFORT"], rows), "", ...evidence].join("\n");
}

export const savingsCommand: Command = {
  summary: "list ways to spend less, each with evidence, yearly amount, risk and effort",
  usage: "[--url URL] [--json]",
  examples: ["thormesh savings"],
  optionsOnly: true,
  options: { ...controllerUrlOption, json: { help: "print the controller's answer" } },
  async run(values) {
    const answer = (await askController(values, "/api/v1/savings")) as { readonly savings: readonly Saving[] };
    console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : savingsToText(answer.savings));
    return 0;
  },
};
