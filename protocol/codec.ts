import type { Static, TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import type { ValueError } from "@sinclair/typebox/errors";
import { cleanText, cleanTexts, mayNeedCleaning } from "./clean-text.ts";
import { fitToBounds } from "./fit-to-bounds.ts";
import { leaveOutUnknown } from "./leave-out-unknown.ts";

/** Max bytes of a message; longer ones are refused unread. A minute's record with 64 models has about 20 KB. */
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

/** Innermost error of a value that matches none of several alternatives, by the one that it comes nearest to. */
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
  return `${cleanText(error.path).slice(0, 200) || "/"}: ${error.message}, got ${show(error.value)}`;
}

/** Describes a value in a few words; of nested values only the kind, which may be too deep to be written out. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return cleanText(JSON.stringify(value)).slice(0, 80);
}

/**
 * Decodes a value that was parsed from JSON by `schema`, or gives the reason why it does not match. Fields that the schema does not know are
 * left out: a newer version writes them.
 */
export function decodeValue<T extends TSchema>(schema: T, value: unknown): Decoded<Static<T>> {
  if (checkerOf(schema).Check(value)) return { ok: true, message: value as Static<T> };
  const known = leaveOutUnknown(schema, value);
  if (!checkerOf(schema).Check(known)) return { ok: false, reason: describeMismatch(schema, known) };
  return { ok: true, message: known as Static<T> };
}

/**
 * Parses JSON into a value whose texts are cleaned.
 * @throws SyntaxError when it is not JSON.
 */
export function parseJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return mayNeedCleaning(json) ? cleanTexts(value) : value;
}

/** Decodes a stored text as {@link decodeMessage} does bytes. */
export function decodeText<T extends TSchema>(schema: T, json: string): Decoded<Static<T>> {
  let value: unknown;
  try {
    value = parseJson(json);
  } catch (error) {
    return { ok: false, reason: `not JSON: ${cleanText((error as Error).message).slice(0, 200)}` };
  }
  return decodeValue(schema, value);
}

/** Decodes a text that this device wrote itself: figures out of bounds are clamped. Null when it does not match `schema` even so. */
export function decodeOwnText<T extends TSchema>(schema: T, json: string): Static<T> | null {
  try {
    const value = parseJson(json);
    const decoded = decodeValue(schema, checkerOf(schema).Check(value) ? value : fitToBounds(schema, value));
    return decoded.ok ? decoded.message : null;
  } catch {
    return null;
  }
}

/**
 * Decodes bytes of JSON into a message of `schema`; never throws. Fields that the schema does not know are left out: a newer version sends
 * them. Texts are cleaned (see {@link cleanText}). The reason names the field, what was expected and what came.
 */
export function decodeMessage<T extends TSchema>(schema: T, payload: Uint8Array): Decoded<Static<T>> {
  if (payload.byteLength > maxMessageBytes) {
    return { ok: false, reason: `${payload.byteLength} bytes, at most ${maxMessageBytes} are read` };
  }
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch (error) {
    return { ok: false, reason: `not JSON in UTF-8: ${(error as Error).message}` };
  }
  return decodeText(schema, json);
}

/** Encodes a message as JSON. It is checked strictly: a field that is in no schema is a bug. */
export function encodeMessage<T extends TSchema>(schema: T, message: Static<T>): string {
  if (!checkerOf(schema).Check(message)) {
    throw new Error(
      `a message to be sent does not match its schema: ${describeMismatch(schema, message)}. This is a bug.`,
    );
  }
  return JSON.stringify(message);
}

/**
 * Encodes as {@link encodeMessage} does, for what a device measures or its operator wrote: figures out of bounds are clamped first, and
 * `onFitted` gets the reason.
 */
export function encodeFitted<T extends TSchema>(
  schema: T,
  message: Static<T>,
  onFitted: (reason: string) => void,
): string {
  if (checkerOf(schema).Check(message)) return JSON.stringify(message);
  const fitted = fitToBounds(schema, message) as Static<T>;
  const json = encodeMessage(schema, fitted);
  onFitted(describeMismatch(schema, message));
  return json;
}
