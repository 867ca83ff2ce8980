import type { MathNode } from "mathjs";

/** A formula over the triggers' values, e.g. `max(queue / 20, load)`. */
export interface Formula {
  /** Names that it reads. */
  readonly names: readonly string[];
  /** Returns its value, or a fault where that is not a finite number. */
  evaluate(values: Readonly<Record<string, number>>): { readonly value: number } | { readonly fault: string };
}

export const formulaFunctions = ["max", "min", "abs", "ceil", "floor", "round", "sqrt", "exp", "log", "log2", "log10"];
const operators = new Set(
  "add subtract multiply divide mod pow unaryMinus unaryPlus larger largerEq smaller smallerEq equal unequal and or not xor".split(
    " ",
  ),
);
/** Words of the language: no trigger can have such a name where there is a formula. */
export const formulaWords: ReadonlySet<string> = new Set(
  "and or not xor mod to in true false null undefined NaN Infinity end".split(" "),
);
const maxCharacters = 1000;
const maxNodes = 200;

/** Returns why a part of a formula is refused; null when it is allowed. Everything that is not listed here is refused. */
function refusal(node: MathNode, names: ReadonlySet<string>, isFunctionName: boolean): string | null {
  // The library's types do not say which node it is: its `type` does.
  const part = node as unknown as { type: string; name: string; value: unknown; fn: unknown; implicit?: boolean };
  switch (part.type) {
    case "ParenthesisNode":
    case "ConditionalNode":
    case "RelationalNode":
      return null;
    case "ConstantNode":
      return typeof part.value === "boolean" || (typeof part.value === "number" && Number.isFinite(part.value))
        ? null
        : `expected finite numbers, got ${part.value === undefined ? "nothing" : String(part.value)}`;
    case "SymbolNode":
      return isFunctionName || names.has(part.name)
        ? null
        : `expected names of triggers (${[...names].join(", ") || "there is none"}), got "${part.name}"`;
    case "FunctionNode": {
      const name = (part.fn as { name?: string }).name ?? "something else";
      return formulaFunctions.includes(name)
        ? null
        : `expected one of the functions ${formulaFunctions.join(", ")}, got "${name}"`;
    }
    case "OperatorNode":
      if (part.implicit === true) return `expected an operator between two values, got none in "${node.toString()}"`;
      return operators.has(String(part.fn)) ? null : `expected arithmetic and comparisons, got "${node.toString()}"`;
    default:
      return `expected arithmetic and comparisons, got "${node.toString()}"`;
  }
}

/**
 * Parses a formula of arithmetic (`+ - * / % ^`), comparisons, `and or not` (also `&& || !`), `a ? b : c` and {@link formulaFunctions} over
 * `names`. Nothing else gets through: the parsed tree is compared with a list of what is allowed before it is compiled, so that a formula can
 * neither reach the program nor run for long.
 */
export function parseFormula(text: string, names: readonly string[]): Formula | { readonly fault: string } {
  if (text.length > maxCharacters) return { fault: `expected at most ${maxCharacters} characters, got ${text.length}` };
  let root: MathNode;
  // Loaded with the first formula, since most policies have none; the bundled file loads faster than the thousand it is made of.
  const { parse }: typeof import("mathjs") = require("mathjs/lib/browser/math.js");
  try {
    root = parse(
      text
        .replaceAll("&&", " and ")
        .replaceAll("||", " or ")
        .replaceAll(/!(?!=)(?=\s*[\w(])/g, " not "),
    );
  } catch (error) {
    return { fault: `expected a formula, got "${text}": ${(error as Error).message}` };
  }
  const known = new Set(names);
  const used = new Set<string>();
  let fault: string | null = null;
  let nodes = 0;
  root.traverse((node, path) => {
    nodes += 1;
    const isFunctionName = path === "fn";
    fault ??= refusal(node, known, isFunctionName);
    if (node.type === "SymbolNode" && !isFunctionName) used.add((node as unknown as { name: string }).name);
  });
  if (fault === null && nodes > maxNodes) fault = `expected at most ${maxNodes} parts, got ${nodes}`;
  if (fault !== null) return { fault };
  const code = root.compile();
  return {
    names: [...used],
    evaluate(values) {
      try {
        const scope = new Map([...used].map((name) => [name, values[name]]));
        const result: unknown = code.evaluate(scope);
        const value = typeof result === "boolean" ? Number(result) : result;
        return typeof value === "number" && Number.isFinite(value)
          ? { value }
          : { fault: `the formula gives ${String(value)}` };
      } catch (error) {
        return { fault: `the formula can't be evaluated: ${(error as Error).message}` };
      }
    },
  };
}
