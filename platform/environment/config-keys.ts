import type { TSchema } from "@sinclair/typebox";

/** Key of a configuration that a variable can set. */
export interface ConfigKey {
  /** Names from the top: ["serving", "port"]. */
  readonly path: readonly string[];
  readonly schema: TSchema;
}

/** Alternatives of a schema, itself where it has none. */
const alternatives = (schema: TSchema): readonly TSchema[] => (schema["anyOf"] as TSchema[] | undefined) ?? [schema];

/** Properties of the object that a schema is or can be; undefined: it is none with named fields. */
const propertiesOf = (schema: TSchema): Readonly<Record<string, TSchema>> | undefined =>
  alternatives(schema).find((each) => each["properties"] !== undefined)?.["properties"];

/** Lists the keys of a configuration: all that hold a value, and sections that can be null as a whole. */
export function configKeys(schema: TSchema, path: readonly string[] = []): readonly ConfigKey[] {
  return Object.entries(propertiesOf(schema) ?? {}).flatMap(([name, field]) => {
    const at = [...path, name];
    const inside = propertiesOf(field) === undefined ? [] : configKeys(field, at);
    return inside.length > 0 && field["anyOf"] === undefined ? inside : [{ path: at, schema: field }, ...inside];
  });
}

/** Name of the variable that sets a key: `serving.maxBodyBytes` is `THORMESH_SERVING_MAX_BODY_BYTES`. */
export const variableOf = (path: readonly string[]): string =>
  ["THORMESH", ...path]
    .map((name) =>
      name
        .replaceAll("-", "_")
        .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
        .toUpperCase(),
    )
    .join("_");

/** True if a schema takes this very text, such as "auto". */
export const takesWord = (schema: TSchema, text: string): boolean =>
  alternatives(schema).some((each) => each["const"] === text || (each !== schema && takesWord(each, text)));

/** Kinds of JSON values that a schema takes. */
export function kindsOf(schema: TSchema): ReadonlySet<string> {
  return new Set(
    alternatives(schema).flatMap((each) => {
      if (each["anyOf"] !== undefined) return [...kindsOf(each)];
      if (each["const"] !== undefined) return typeof each["const"];
      if (each["type"] === "integer") return "number";
      return (each["type"] as string | undefined) ?? "any";
    }),
  );
}
