import { fileURLToPath } from "node:url";
import { UsageError } from "#platform/errors.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";
import { collectLicences, type Licence } from "#tools/licences/collect-licences.ts";
import { licencesPath } from "#tools/licences/licences-inside.ts";
import { unpackLicences } from "#tools/licences/pack-licences.ts";

async function readLicences(): Promise<Licence[]> {
  if (licencesPath === null) return collectLicences(fileURLToPath(new URL("../..", import.meta.url)));
  return unpackLicences(await Bun.file(licencesPath).bytes());
}

function licenceToText({ name, version, licence, text }: Licence): string {
  const title = `${name}${version === null ? "" : ` ${version}`} (${licence})`;
  return `${title}\n${"=".repeat(title.length)}\n\n${text}\n`;
}

export const licencesCommand: Command = {
  summary: "print the licences of everything in this executable: packages, ONNX Runtime, Bun, models, data",
  usage: "[--name NAME] [--list] [--json]",
  optionsOnly: true,
  options: {
    name: { value: "NAME", help: "print only this package or part" },
    list: { help: "list names and licences without the texts" },
    json: { help: "print JSON" },
  },
  async run(values) {
    const all = await readLicences();
    const name = optionalString(values, "name");
    const wanted = name === undefined ? all : all.filter((each) => each.name.toLowerCase() === name.toLowerCase());
    if (wanted.length === 0) throw new UsageError(`--name: nothing inside is called "${name}" (see --list)`);
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
