import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { writeDurably } from "#platform/files/write-durably.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { decodeText } from "#protocol/codec.ts";
import { versionPattern } from "#protocol/release/version-order.ts";

const Version = Type.String({ pattern: versionPattern });
const Hash = Type.String({ pattern: "^[0-9a-f]{64}$" });

/**
 * State of a machine's updates, one key a line, as the guard at boot reads it with sed. switched: a new version is in force and on trial;
 * healthy: the one in force has stood its trial; returning: the last new version did not, and the one before is being put into force again; returned: it is.
 */
export const UpdateState = strictObject({
  format: Type.Literal(1),
  state: literals("idle", "switched", "healthy", "returning", "returned"),
  /** Version of the last update; null: none yet. */
  version: orNull(Version),
  /** Version before it, to which a return leads. */
  previous: orNull(Version),
  reason: Type.String({ maxLength: 2048 }),
  atMs: Type.Number({ minimum: 0 }),
  /** State of each service before the update. */
  before: Type.Record(Type.String({ maxLength: 32 }), strictObject({ ready: Type.Boolean(), broker: Type.Boolean() })),
  /** Newest manifest that was believed: a later one may not be older. */
  seenManifestMs: Type.Number({ minimum: 0 }),
  seenVersion: orNull(Version),
  /** Versions that a manifest called back. */
  revoked: Type.Array(Version, { maxItems: 256 }),
  /** Versions that failed here, which no order of the fleet tries again. */
  failed: Type.Array(Version, { maxItems: 64 }),
  /** Hash of each version's file as it was verified. */
  hashes: Type.Record(Version, Hash),
});
export type UpdateState = Static<typeof UpdateState>;

export const noUpdates: UpdateState = {
  ...{ format: 1, state: "idle", version: null, previous: null, reason: "", atMs: 0, before: {} },
  ...{ seenManifestMs: 0, seenVersion: null, revoked: [], failed: [], hashes: {} },
};

const pathOf = (prefix: string) => join(prefix, "update.json");

/** Reads the state; one that can't be read is kept aside, and told by `onDamage`, and the machine counts as never updated. */
export async function readUpdateState(prefix: string, onDamage: (sentence: string) => void): Promise<UpdateState> {
  const path = pathOf(prefix);
  if (!existsSync(path)) return noUpdates;
  const decoded = decodeText(UpdateState, await readRegularText(path));
  if (decoded.ok) return decoded.message;
  renameSync(path, `${path}.damaged`);
  onDamage(
    `${path} can't be read (${decoded.reason}) and is now ${path}.damaged: the record of releases seen, withdrawn or failed is lost`,
  );
  return noUpdates;
}

/** Writes the state for good, with one key a line. */
export function writeUpdateState(prefix: string, state: UpdateState): void {
  writeDurably(pathOf(prefix), `${JSON.stringify(state, null, 1)}\n`);
}
