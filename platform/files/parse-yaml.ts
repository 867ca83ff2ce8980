import { type Document, isMap, isScalar, LineCounter, type Pair, parseAllDocuments, visit } from "yaml";
import { UsageError } from "#platform/errors.ts";

/** Maximum objects and lists inside each other: what reads the value later goes through it level by level. */
const maxLevels = 200;

/** Number of keys of all objects in a parsed value. */
function countKeys(value: unknown, levels = maxLevels): number {
  if (value === null || typeof value !== "object") return 0;
  // Left to the reading that tells what is wrong with it.
  if (levels === 0) return Number.NaN;
  // A name that objects have already: what stands there would be lost, so it is left to the strict reading.
  if (Object.hasOwn(value, "__proto__")) return Number.NaN;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, inner) => sum + countKeys(inner, levels - 1), own);
}

/** Parses JSON, which is read a hundred times faster than YAML. Returns undefined for other text and for JSON with a key given twice. */
function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  let written = 0;
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) written += 1;
  return written === countKeys(value) ? value : undefined;
}

/** True for a value with more levels, and for one that contains itself. */
const isDeeper = (value: unknown, levels = maxLevels): boolean =>
  value !== null &&
  typeof value === "object" &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

/** True for a text with too many levels, told before it is parsed: the parser's time grows with more than their square. */
function isTooDeep(text: string): boolean {
  let levels = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    levels = Math.max(0, levels + (bracket === "[" || bracket === "{" ? 1 : -1));
    if (levels > maxLevels) return true;
  }
  return /(?:[-?][ \t]+){201}/.test(text);
}

const keyText = ({ key }: Pair) => String(isScalar(key) ? key.value : key);

/** Lists the keys that a mapping has twice, and keys that are no names: either would lose what stands there. */
function faultyKeys(document: Document, lineOf: (offset: number) => number): string[] {
  const faults: string[] = [];
  const startOf = ({ key }: Pair) => (key as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0;
  visit(document, {
    Map(_place, { items }, ancestors) {
      const above = ancestors.flatMap((node) => ("key" in node ? [keyText(node as Pair)] : []));
      const lines = new Map<string, number>();
      for (const pair of items) {
        const line = lineOf(startOf(pair));
        if (!isScalar(pair.key)) {
          faults.push(
            `line ${line}: expected a name as key, got ${isMap(pair.key) ? "a mapping" : "a list or an alias"}`,
          );
          continue;
        }
        const name = keyText(pair);
        if (name === "__proto__") faults.push(`line ${line}: expected a key other than __proto__, got it`);
        const first = lines.get(name);
        const path = [...above, name].join(".");
        if (first !== undefined) faults.push(`line ${line}: ${path} is given twice, first in line ${first}`);
        else lines.set(name, line);
      }
    },
  });
  return faults;
}

/**
 * Parses hand-written YAML or JSON strictly: a duplicate key, a second document, an unknown tag, an alias without its anchor or inside it,
 * more than 200 levels and wrong indentation are errors, since each would silently lose a part of the text or can't be gone through. Returns null
 * for an empty text.
 * @throws UsageError naming `source` and the lines of all faults.
 */
export function parseYaml(text: string, source: string): unknown {
  const json = parseJson(text);
  if (json !== undefined) return json;
  if (isTooDeep(text))
    throw new UsageError(`${source} is not valid YAML:\n  expected at most ${maxLevels} levels, got more`);
  const lineCounter = new LineCounter();
  const lastOffset = Math.max(0, text.trimEnd().length - 1);
  /** Line of a fault; a bracket that is never closed is noticed behind the text, which means its last line. */
  const lineOf = (offset: number) => lineCounter.linePos(Math.min(offset, lastOffset)).line;
  const documents = parseAllDocuments(text, { prettyErrors: false, lineCounter, uniqueKeys: false, merge: true });
  // Without any document the parser returns an empty list of another type.
  const [document, second] = documents as readonly Document.Parsed[];
  if (document === undefined) return null;
  const faults = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `line ${lineOf(pos[0])}: ${message}`,
  );
  try {
    if (faults.length === 0) faults.push(...faultyKeys(document, lineOf));
    if (faults.length === 0 && second === undefined) {
      const value: unknown = document.toJS();
      if (!isDeeper(value)) return value;
      faults.push(`expected at most ${maxLevels} levels, got more, or an alias inside its own anchor`);
    }
  } catch (error) {
    faults.push((error as Error).message);
  }
  if (second !== undefined) {
    faults.push(`line ${lineOf(second.range[0])}: expected one document, got ${documents.length}, separated by "---"`);
  }
  throw new UsageError(`${source} is not valid YAML:\n  ${faults.join("\n  ")}`);
}

/** Writes a value as YAML, as {@link parseYaml} reads it. */
export const writeYaml = (value: unknown): string => Bun.YAML.stringify(value, null, 2);
