import { Type } from "@sinclair/typebox";
import { isValid } from "#platform/schema-mistakes.ts";
import { Identifier } from "#protocol/bounds.ts";
import { maxMessageBytes, parseJson } from "#protocol/codec.ts";

const RecordName = Type.Object({ bootId: Identifier, seq: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) });

/** Returns the name of a record that can't be read in full; null where not even that can be. */
export function recordNameOf(payload: Uint8Array): { readonly bootId: string; readonly seq: number } | null {
  if (payload.byteLength > maxMessageBytes) return null;
  try {
    const value = parseJson(new TextDecoder().decode(payload));
    if (typeof value !== "object" || value === null) return null;
    const name = { bootId: Reflect.get(value, "bootId"), seq: Reflect.get(value, "seq") };
    return isValid(RecordName, name) ? name : null;
  } catch {
    return null;
  }
}
