import { PriceCatalogue } from "#controller/cost/prices/catalogue.ts";
import { checkCatalogue } from "#controller/cost/prices/check-catalogue.ts";
import { sections } from "#controller/cost/prices/price-keys.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { schemaOfInput } from "#platform/schema-of-input.ts";
import { type Command, type OptionValues, unexpectedWord } from "#platform/terminal/command.ts";

function catalogueToText(catalogue: PriceCatalogue, path: string): string {
  const counts = sections.map((section) => `${catalogue[section].length} ${section}`);
  return `${path} is a valid price catalogue in ${catalogue.currency}: ${counts.join(", ")}`;
}

async function validate(paths: readonly string[], values: OptionValues): Promise<number> {
  if (paths.length === 0) throw new UsageError("expected a price catalogue to validate");
  const mistakes: string[] = [];
  for (const path of paths) {
    try {
      const catalogue = parseConfig(PriceCatalogue, await readConfigFile(path), path, checkCatalogue);
      console.log(values["json"] === true ? JSON.stringify(catalogue, null, 2) : catalogueToText(catalogue, path));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      mistakes.push(describeError(error));
    }
  }
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
  return 0;
}

export const pricesCommand: Command = {
  summary: "check a price catalogue: electricity, devices, instances, services",
  usage: "validate FILE… [--json]\n       thormesh prices schema",
  examples: ["thormesh prices validate prices.yaml"],
  options: { json: { only: "validate", help: "print the whole catalogue, including defaults" } },
  async run(values, [action, ...rest]) {
    switch (action) {
      case "validate":
        return validate(rest, values);
      case "schema":
        if (rest.length > 0) throw new UsageError(`prices schema: expected nothing more, got "${rest.join(" ")}"`);
        console.log(JSON.stringify(schemaOfInput(PriceCatalogue), null, 2));
        return 0;
      default:
        throw unexpectedWord("validate or schema", action, ["validate", "schema"]);
    }
  },
};
