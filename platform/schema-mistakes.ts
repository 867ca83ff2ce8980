import { OptionalKind, type TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";

/** Field that does not match its schema. */
export interface SchemaMistake {
  /** Keys from the top; empty for the value itself. */
  readonly path: readonly string[];
  /** `missing`: there is no value; `unknown-field`: the schema has no such field. */
  readonly rule: "mismatch" | "missing" | "unknown-field";
  /** Schema of the field; for an unknown field, of the object around it. */
  readonly schema: TSchema;
  readonly value: unknown;
}

const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

/** Checks a value by its compiled schema; compiles a schema at its first use. */
export function isValid(schema: TSchema, value: unknown): boolean {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = TypeCompiler.Compile(schema);
    compiled.set(schema, check);
  }
  return check.Check(value);
}

/** Kind of a value by the names of JSON Schema; integers count as numbers. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

export function kindOfSchema(schema: TSchema): string | undefined {
  if (schema["type"] === "integer") return "number";
  return schema["type"] ?? (schema["const"] === undefined ? undefined : kindOf(schema["const"]));
}

/** Alternatives of a schema, including nested ones, but without null where the field is optional anyway. */
export function alternativesOf(schema: TSchema): readonly TSchema[] {
  const alternatives: readonly TSchema[] = schema["anyOf"] ?? [];
  return alternatives
    .filter((alternative) => !(OptionalKind in schema && alternative["type"] === "null"))
    .flatMap((alternative) =>
      alternative["anyOf"] !== undefined && alternative["title"] === undefined
        ? alternativesOf(alternative)
        : [alternative],
    );
}

/** True if the items of an array schema are of the same kind as the first of `values`. */
function takesItems(schema: TSchema, values: readonly unknown[]): boolean {
  const items: TSchema | undefined = schema["items"];
  return items === undefined || kindOfSchema(items) === kindOf(values[0]);
}

/** True for an array longer than its schema, or all alternatives for arrays of its kind, allow. */
export function isTooLong({ schema, value }: SchemaMistake): boolean {
  if (!Array.isArray(value)) return false;
  const lists = schema["anyOf"] === undefined ? [schema] : alternativesOf(schema);
  const limits = lists
    .filter((list) => lists.length === 1 || takesItems(list, value))
    .map((list) => list["maxItems"])
    .filter((max) => typeof max === "number");
  return limits.length > 0 && value.length > Math.max(...limits);
}

type Fields = Readonly<Record<string, unknown>>;
const propertiesOf = (schema: TSchema): Readonly<Record<string, TSchema>> => schema["properties"] ?? {};

/** Property that identifies alternatives for objects, such as `kind`: a constant in each of them. */
function discriminatorOf(alternatives: readonly TSchema[]): string | undefined {
  const [first, ...rest] = alternatives;
  if (first === undefined || rest.length === 0) return undefined;
  const isConstant = (alternative: TSchema, name: string) => propertiesOf(alternative)[name]?.["const"] !== undefined;
  return Object.keys(propertiesOf(first)).find((name) => alternatives.every((each) => isConstant(each, name)));
}

/** Finds the mistakes of a value that matches no alternative, by the alternative that was meant where that is clear. */
function* mistakesOfUnion(schema: TSchema, value: unknown, path: readonly string[]): Generator<SchemaMistake> {
  const unclear = { path, rule: "mismatch", schema, value } as const;
  const isTitled = schema["title"] !== undefined;
  const alternatives = alternativesOf(schema).filter((alternative) => alternative["const"] === undefined);
  const sameKind = alternatives.filter((alternative) => kindOfSchema(alternative) === kindOf(value));
  const discriminator = discriminatorOf(sameKind);
  if (discriminator !== undefined && !isTitled) {
    const given = (value as Fields)[discriminator];
    const constants = sameKind.map((alternative) => propertiesOf(alternative)[discriminator] as TSchema);
    const meant = sameKind[constants.findIndex((constant) => constant["const"] === given)];
    if (meant !== undefined) return yield* mistakesIn(meant, value, path);
    const rule = given === undefined ? "missing" : "mismatch";
    return yield {
      path: [...path, discriminator],
      rule,
      schema: { anyOf: constants } as unknown as TSchema,
      value: given,
    };
  }
  const only = alternativesOf(schema).length === 1 ? alternatives : sameKind;
  const sameItems = only.filter((alternative) => !Array.isArray(value) || takesItems(alternative, value));
  const meant = [only, sameItems].find((candidates) => candidates.length === 1)?.[0];
  if (meant === undefined || (isTitled && (typeof value !== "object" || value === null))) return yield unclear;
  for (const mistake of mistakesIn(meant, value, path)) {
    // A title describes all alternatives, so it explains what is wrong with the value as a whole, but not with one of its items.
    if (isTitled && mistake.path.length === path.length) return yield unclear;
    yield mistake;
  }
}

function* mistakesOfItems(
  schema: TSchema,
  values: readonly unknown[],
  path: readonly string[],
): Generator<SchemaMistake> {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema as { minItems?: number; maxItems?: number };
  if (values.length < minItems || values.length > maxItems) yield { path, rule: "mismatch", schema, value: values };
  const items: TSchema | readonly TSchema[] | undefined = schema["items"];
  for (const [index, value] of values.entries()) {
    const item = Array.isArray(items) ? (items as readonly TSchema[])[index] : (items as TSchema | undefined);
    if (item !== undefined && !isValid(item, value)) yield* mistakesIn(item, value, [...path, String(index)]);
  }
}

/** Schema of a field without a property of its own; false: no such field is allowed. */
function schemaOfOther(schema: TSchema, name: string): TSchema | boolean {
  const byPattern: Readonly<Record<string, TSchema>> = schema["patternProperties"] ?? {};
  const pattern = Object.keys(byPattern).find((each) => new RegExp(each, "u").test(name));
  return (pattern === undefined ? undefined : byPattern[pattern]) ?? schema["additionalProperties"] ?? true;
}

function* mistakesOfFields(schema: TSchema, value: Fields, path: readonly string[]): Generator<SchemaMistake> {
  const properties = propertiesOf(schema);
  const required = new Set<string>(schema["required"] ?? []);
  for (const [name, property] of Object.entries(properties)) {
    const field = value[name];
    if (field === undefined) {
      if (required.has(name)) yield { path: [...path, name], rule: "missing", schema: property, value: field };
    } else if (!isValid(property, field)) yield* mistakesIn(property, field, [...path, name]);
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(properties, name)) continue;
    const other = schemaOfOther(schema, name);
    if (other === false) yield { path: [...path, name], rule: "unknown-field", schema, value: value[name] };
    else if (other !== true && !isValid(other, value[name])) yield* mistakesIn(other, value[name], [...path, name]);
  }
}

function* mistakesIn(schema: TSchema, value: unknown, path: readonly string[]): Generator<SchemaMistake> {
  if (value === undefined) return yield { path, rule: "missing", schema, value };
  if (schema["anyOf"] !== undefined) return yield* mistakesOfUnion(schema, value, path);
  let found = false;
  const kind = kindOf(value);
  const inner =
    kind !== schema["type"]
      ? []
      : kind === "array"
        ? mistakesOfItems(schema, value as readonly unknown[], path)
        : kind === "object"
          ? mistakesOfFields(schema, value as Fields, path)
          : [];
  for (const mistake of inner) {
    found = true;
    yield mistake;
  }
  if (!found) yield { path, rule: "mismatch", schema, value };
}

/**
 * Finds the fields of a value that don't match its schema, lazily: the first ones of a large value are found without a look at the rest. TypeBox's own
 * search visits everything below an alternative before it returns the first error, which takes seconds for megabytes.
 */
export function* schemaMistakes(schema: TSchema, value: unknown): Generator<SchemaMistake> {
  if (!isValid(schema, value)) yield* mistakesIn(schema, value, []);
}
