import { type Document, isMap, isScalar, LineCounter, type Pair, parseAllDocuments, visit } from "yaml";
import { UsageError } from "#platform/errors.ts";

/** Keys of all objects in a parsed value. */
function countKeys(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  // A name that objects have already: what stands there would be lost, so it is left to the strict reading.
  if (Object.hasOwn(value, "__proto__")) return Number.NaN;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, inner) => sum + countKeys(inner), own);
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
        if (name === "__proto__") faults.push(`line ${line}: expected another name as key, got __proto__`);
        const first = lines.get(name);
        const path = [...above, name].join(".");
        if (first !== undefined) faults.push(`line ${line}: ${path} is given a second time, first in line ${first}`);
        else lines.set(name, line);
      }
    },
  });
  return faults;
}

/**
 * Parses YAML or JSON that a person wrote, strictly: a key given twice, a second document, an unknown tag, an alias without its anchor and wrong
 * indentation are errors, since each would silently lose a part of the text. Returns null for an empty text.
 * @throws UsageError naming `source` and the lines of all faults.
 */
export function parseYaml(text: string, source: string): unknown {
  const json = parseJson(text);
  if (json !== undefined) return json;
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
  if (faults.length === 0) faults.push(...faultyKeys(document, lineOf));
  if (second !== undefined) {
    faults.push(`line ${lineOf(second.range[0])}: expected one document, got ${documents.length}, separated by "---"`);
  }
  if (faults.length === 0) {
    try {
      return document.toJS();
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  throw new UsageError(`${source} is not valid YAML:\n  ${faults.join("\n  ")}`);
}

/** Writes a value as YAML, as {@link parseYaml} reads it. */
export const writeYaml = (value: unknown): string => Bun.YAML.stringify(value, null, 2);
