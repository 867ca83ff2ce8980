import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";

const directory = join(import.meta.dir, "..", "fixtures", "cyclonedx");
const schema = (name: string) => JSON.parse(readFileSync(join(directory, `${name}.SNAPSHOT.schema.json`), "utf8"));
const isUrl = (text: string) => URL.canParse(text, "http://base.example/");

let compiled: ReturnType<typeof compile> | undefined;

function compile() {
  const ajv = new Ajv({
    ...{ strict: false, allErrors: true },
    formats: {
      ...{ "iri-reference": isUrl, uri: isUrl, "idn-email": /@/ },
      "date-time": (text: string) => !Number.isNaN(Date.parse(text)),
    },
  });
  for (const name of ["spdx", "jsf-0.82"])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(schema("bom-1.6"));
}

/** Returns what the official schema of CycloneDX 1.6 finds wrong with a bill of materials. */
export function billFaults(bill: object): string[] {
  compiled ??= compile();
  // As it is written to a file.
  if (compiled(JSON.parse(JSON.stringify(bill)))) return [];
  return (compiled.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}
