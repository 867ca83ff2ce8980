import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { parseTime } from "#platform/parse-time.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { version } from "#platform/version.ts";
import { collectEvidence, evidenceFiles } from "#tools/evidence/collect-evidence.ts";
import { billOfMaterials } from "#tools/licences/bill-of-materials.ts";
import { readLicences } from "#tools/licences/read-licences.ts";
import { askController } from "../run/ask-controller.ts";

function timeOf(values: OptionValues, option: string): number | null {
  const text = optionalString(values, option);
  if (text === undefined) return null;
  const atMs = parseTime(text);
  if (atMs === null)
    throw new UsageError(`--${option}: expected a day such as 2026-11-01, or a time with its zone; got "${text}"`);
  return atMs;
}

/** Writes evidence of how a fleet is run into a directory, with a manifest of hashes. */
export async function writeEvidence(values: OptionValues): Promise<number> {
  const directory = optionalString(values, "out");
  if (directory === undefined) throw new UsageError("expected --out DIR, a new or empty directory for the evidence");
  const fromMs = timeOf(values, "from");
  if (fromMs === null) throw new UsageError("expected --from DAY, the start of the period that the evidence covers");
  const toMs = timeOf(values, "to") ?? Date.now();
  if (toMs <= fromMs) throw new UsageError("--to: expected a time after that of --from");
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new UsageError(`--out: expected a new or empty directory, ${directory} has files in it`);
  const bill = billOfMaterials(await readLicences());
  const files = await collectEvidence((path) => askController(values, path), { fromMs, toMs }, bill);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const listed = files.map(({ name, text }) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return {
      ...{ file: name, shows: evidenceFiles[name], bytes: Buffer.byteLength(text) },
      sha256: createHash("sha256").update(text).digest("hex"),
    };
  });
  const manifest = {
    ...{ format: "thormesh-evidence", formatVersion: 1, by: `thormesh ${version}` },
    ...{ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), madeAt: new Date().toISOString() },
    files: listed,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  writeFileSync(join(directory, "manifest.json"), text, { mode: 0o600 });
  if (values["json"] === true) console.log(text.trimEnd());
  else {
    console.log(`${listed.length} files and manifest.json written to ${directory}`);
    console.log(`sha256 of manifest.json: ${createHash("sha256").update(text).digest("hex")}`);
  }
  return 0;
}
