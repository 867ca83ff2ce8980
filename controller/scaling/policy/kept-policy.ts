import { Type } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";

/** Longest policy that is kept: as long as a configuration file may be. */
const PolicyText = Type.String({ maxLength: 1_048_576 });

/** A policy file and what came of it, as they are kept across a restart. Policies are JSON, secrets included. */
export const KeptPolicy = strictObject({
  path: Type.String({ maxLength: 4_096 }),
  /** Policy that the file held last. */
  text: PolicyText,
  /** The one before, to which can be gone back or was gone back; null: none. */
  before: orNull(PolicyText),
  /** Reason for which it was reversed; null: it is in force. */
  takenBack: orNull(Type.String({ maxLength: 8_192 })),
});
export type KeptPolicy = ReadonlyStatic<typeof KeptPolicy>;
