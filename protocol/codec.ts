import type { Static, TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import type { ValueError } from "@sinclair/typebox/errors";
import { leaveOutUnknown } from "./leave-out-unknown.ts";

/** A message longer than this is refused unread. A minute's record with 64 models is about 20 KB. */
export const maxMessageBytes = 262_144;

const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

function checkerOf(schema: TSchema): TypeCheck<TSchema> {
  let checker = compiled.get(schema);
  if (checker === undefined) {
    checker = TypeCompiler.Compile(schema);
    compiled.set(schema, checker);
  }
  return checker;
}

export type Decoded<T> = { readonly ok: true; readonly message: T } | { readonly ok: false; readonly reason: string };

/** Of a value that is none of several alternatives: what is wrong inside it, in the light of the one that it comes nearest to. */
function innermost(error: ValueError): ValueError {
  const inside = error.errors
    .map((errors) => errors.First())
    .filter((inner) => inner !== undefined && inner.path.length > error.path.length) as ValueError[];
  const [first] = inside.sort((a, b) => b.path.length - a.path.length);
  return first === undefined ? error : innermost(first);
}

function describeMismatch(schema: TSchema, value: unknown): string {
  const outermost = checkerOf(schema).Errors(value).First();
  if (outermost === undefined) return "does not match its schema";
  const error = innermost(outermost);
  const shown = JSON.stringify(error.value)?.slice(0, 80) ?? "nothing";
  return `${error.path || "/"}: ${error.message}, got ${shown}`;
}

/**
 * Bytes of JSON into a message of `schema`; never throws. Fields that the schema does not know are left out: a newer version sends them.
 * The reason names the field, what was expected and what came.
 */
export function decodeMessage<T extends TSchema>(schema: T, payload: Uint8Array): Decoded<Static<T>> {
  if (payload.byteLength > maxMessageBytes) {
    return { ok: false, reason: `${payload.byteLength} bytes, at most ${maxMessageBytes} are read` };
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    return { ok: false, reason: `not JSON in UTF-8: ${(error as Error).message}` };
  }
  if (checkerOf(schema).Check(value)) return { ok: true, message: value as Static<T> };
  const known = leaveOutUnknown(schema, value);
  if (!checkerOf(schema).Check(known)) return { ok: false, reason: describeMismatch(schema, known) };
  return { ok: true, message: known as Static<T> };
}

/** A message into JSON. What we send is checked strictly: a field that is in no schema is a mistake of ours. */
export function encodeMessage<T extends TSchema>(schema: T, message: Static<T>): string {
  if (!checkerOf(schema).Check(message)) {
    throw new Error(
      `a message to be sent does not match its schema: ${describeMismatch(schema, message)}. This is a bug.`,
    );
  }
  return JSON.stringify(message);
}
