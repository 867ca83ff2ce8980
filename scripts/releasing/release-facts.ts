import { parseManifest } from "#protocol/release/release-manifest.ts";
import { git, sourceTimeS } from "../source-time.ts";
import type { ReleaseFacts } from "./sign-release.ts";

const dayS = 86_400;
const maxDays = 3650;

export interface FactOptions {
  readonly "expires-days": string;
  readonly "min-version": string;
  readonly revoked: string;
}

const instant = (atS: number) => new Date(atS * 1000).toISOString().replace(".000Z", "Z");

/**
 * Facts of a release that its files don't tell. Its time is the commit's, or SOURCE_DATE_EPOCH, so that the same sources make the same files.
 * @throws Error that names the option at fault
 */
export function releaseFacts(
  root: string,
  version: string,
  options: FactOptions,
): ReleaseFacts & { readonly atS: number; readonly revision: string } {
  const atS = sourceTimeS(root);
  const days = Number(options["expires-days"]);
  if (!Number.isInteger(days) || days < 1 || days > maxDays)
    throw new Error(`--expires-days: expected an integer from 1 to ${maxDays}, got "${options["expires-days"]}"`);
  const facts = {
    version,
    releasedAt: instant(atS),
    expires: instant(atS + days * dayS),
    minVersion: options["min-version"],
    revoked: options.revoked.split(",").filter((each) => each !== ""),
  };
  // Before anything is built: what the manifest will not take.
  const file = {
    name: "x",
    kind: "executable",
    target: null,
    size: 1,
    sha256: "0".repeat(64),
    blake2b: "0".repeat(128),
  };
  parseManifest(new TextEncoder().encode(JSON.stringify({ format: 1, product: "thormesh", ...facts, files: [file] })));
  return { ...facts, atS, revision: git(root, "rev-parse", "HEAD") };
}
