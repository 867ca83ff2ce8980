import { UsageError } from "#platform/errors.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";
import { billOfMaterials } from "#tools/licences/bill-of-materials.ts";
import type { Licence } from "#tools/licences/collect-licences.ts";
import { readLicences } from "#tools/licences/read-licences.ts";

function licenceToText({ name, version, licence, text }: Licence): string {
  const title = `${name}${version === null ? "" : ` ${version}`} (${licence})`;
  return `${title}\n${"=".repeat(title.length)}\n\n${text}\n`;
}

export const licencesCommand: Command = {
  summary: "print the licences of everything in this executable: packages, ONNX Runtime, Bun, models, data",
  usage: "[--name NAME] [--list] [--json]\n       thormesh licences --sbom",
  examples: ["thormesh licences --list"],
  optionsOnly: true,
  options: {
    name: { value: "NAME", help: "print only this package or part" },
    list: { help: "list names and licences without the texts" },
    sbom: { help: "print a bill of materials (CycloneDX, JSON) instead" },
    json: { help: "print JSON" },
  },
  async run(values) {
    const all = await readLicences();
    if (values["sbom"] === true) {
      for (const other of ["name", "list"])
        if (other in values) throw new UsageError(`--sbom can't be combined with --${other}`);
      console.log(JSON.stringify(billOfMaterials(all), null, 2));
      return 0;
    }
    const name = optionalString(values, "name");
    const wanted = name === undefined ? all : all.filter((each) => each.name.toLowerCase() === name.toLowerCase());
    if (wanted.length === 0) throw new UsageError(`--name: there is no package or part called "${name}" (see --list)`);
    const isList = values["list"] === true;
    if (values["json"] === true) {
      const licences = isList ? wanted.map(({ text: _, ...rest }) => rest) : wanted;
      console.log(JSON.stringify({ licences }, null, 2));
    } else if (isList) {
      const lines = wanted.map(
        ({ name: own, version, licence }) => `${own}${version === null ? "" : ` ${version}`}: ${licence}`,
      );
      console.log(lines.join("\n"));
    } else console.log(wanted.map(licenceToText).join("\n"));
    return 0;
  },
};
