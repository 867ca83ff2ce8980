import { createHash } from "node:crypto";
import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { bounds, text } from "#protocol/bounds.ts";
import { canonicalJson } from "#protocol/canonical-json.ts";

export const AuditHash = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Seq = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** Entry of the audit log. A change has two: one before it is made, one with its outcome. */
export const AuditEntry = strictObject({
  seq: { ...Seq, description: "counts up by one" },
  atMs: Type.Integer({ minimum: 0, maximum: bounds.timeMs, description: "by the controller's clock" }),
  actor: { ...text(200), description: "who: the key by id and name, or the user of this machine" },
  role: { ...text(32), description: "role of the actor" },
  from: { ...text(64), description: "network address, or local" },
  action: { ...text(64), description: "such as keys.create" },
  target: { ...text(200), description: "id or name of what is changed" },
  phase: {
    ...literals("begun", "done", "failed"),
    description: "begun: about to be done; done or failed: its outcome",
  },
  of: orNull(Seq, "seq of the entry that began it; null: this one began it"),
  before: Type.Unknown({ description: "state before; null: there was none" }),
  after: Type.Unknown({ description: "state afterwards; null: there is none" }),
  reason: orNull(text(512), "given by the actor, or the reason for the failure; null: none"),
  prevHash: { ...AuditHash, description: "hash of the previous entry; zeros for the first" },
});
export type AuditEntry = Static<typeof AuditEntry>;

/** Entry before it has its place in the log. */
export type AuditDraft = Omit<AuditEntry, "seq" | "prevHash">;

/** `prevHash` of the first entry. */
export const noHash = "0".repeat(64);

/** Hash of an entry, which covers all before it by `prevHash`. */
export function hashOfEntry(entry: AuditEntry): string {
  return createHash("sha256").update("\0").update(canonicalJson(entry)).digest("hex");
}
