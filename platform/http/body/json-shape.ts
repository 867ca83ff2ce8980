interface JsonShapeLimits {
  /** Levels of arrays and objects. */
  readonly maxDepth: number;
  /** Total number of arrays and objects. */
  readonly maxContainers: number;
  /** Total number of fields of all objects. */
  readonly maxFields: number;
  /** Total number of strings, field names included. */
  readonly maxStrings: number;
}

/** Names of an object that are kept in a list. */
const maxListed = 8;

/** Fields of the objects that are open, to find one that is given twice. */
class OpenObjects {
  readonly #text: string;
  /** Names in each open object; a list while there are few, in which a look is cheaper than a set. */
  readonly #fields: (Set<string> | string[] | null)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  open(): void {
    this.#fields.push(null);
  }

  close(): void {
    this.#fields.pop();
  }

  /** Adds the field whose name begins and ends at these quotes. Returns it when its object has it already. */
  repeats(start: number, end: number): string | null {
    const written = this.#text.slice(start, end + 1);
    let name = written;
    try {
      if (written.includes("\\")) name = JSON.stringify(JSON.parse(written));
    } catch {
      return null; // no JSON, which the parser explains
    }
    const at = this.#fields.length - 1;
    const fields = this.#fields[at] ?? [];
    if (fields instanceof Set ? fields.has(name) : fields.includes(name)) return name;
    if (fields instanceof Set) fields.add(name);
    else fields.push(name);
    this.#fields[at] = !(fields instanceof Set) && fields.length > maxListed ? new Set(fields) : fields;
    return null;
  }
}

/**
 * Explains how a JSON text exceeds the limits, or which field an object has twice, of which the parser would drop the first; null if it does
 * neither. Megabytes of empty arrays or of fields become gigabytes of values that take seconds to check, and values nested thousands of levels
 * deep can be parsed but not written again. Strings, most of a body, are skipped at the speed of a search.
 */
export function exceededShape(text: string, limits: JsonShapeLimits): string | null {
  let depth = 0;
  let containers = 0;
  let fields = 0;
  let strings = 0;
  let stringStart = 0;
  let stringEnd = 0;
  let twice: string | null = null;
  const objects = new OpenObjects(text);
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        strings += 1;
        if (strings > limits.maxStrings) return `at most ${limits.maxStrings} texts`;
        stringStart = at;
        at = endOfString(text, at);
        stringEnd = at;
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        containers += 1;
        if (depth > limits.maxDepth) return `at most ${limits.maxDepth} levels of arrays and objects`;
        if (containers > limits.maxContainers) return `at most ${limits.maxContainers} arrays and objects`;
        objects.open();
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        objects.close();
        break;
      case 0x3a: // :
        fields += 1;
        if (fields > limits.maxFields) return `at most ${limits.maxFields} fields`;
        twice ??= objects.repeats(stringStart, stringEnd);
        break;
      default:
    }
  }
  return twice === null ? null : `the field ${twice.slice(0, 100)} once in an object, got it twice`;
}

/** Finds the closing quote of the string that begins at `start`; the text's end when it has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = text.indexOf('"', at);
    if (at === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
}
