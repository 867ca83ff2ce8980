import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { TextMemory } from "#forecast/forecaster.ts";
import { peakQuantiles } from "#forecast/quantiles/peak-quantiles.ts";
import { dayMs } from "#platform/time.ts";
import type { Tree } from "./grow-tree.ts";
import { treeInputCount } from "./tree-inputs.ts";

/** A linear forecast of each quantile, and the trees that correct it. */
export interface TreeFit {
  readonly linear: readonly Float64Array[];
  readonly trees: readonly (readonly Tree[])[];
  /** End of the record that it was fitted to, and the steps that it forecasts. */
  readonly endMs: number;
  readonly steps: number;
  readonly stepMs: number;
}

/** Version of the inputs and of the form; another one is fitted anew. */
const version = 1;
export const maxTrees = 200;
const maxNodes = 63;
const Amount = Type.Number({ minimum: -1e15, maximum: 1e15 });
const quantiles = { minItems: peakQuantiles.length, maxItems: peakQuantiles.length };
const inputs = { minItems: treeInputCount, maxItems: treeInputCount };
const ofNodes = <T extends ReturnType<typeof Type.Number | typeof Type.Integer>>(each: T) =>
  Type.Array(each, { minItems: 1, maxItems: maxNodes });

const KeptTree = Type.Object({
  columns: ofNodes(Type.Integer({ minimum: -1, maximum: treeInputCount - 1 })),
  values: ofNodes(Amount),
  children: ofNodes(Type.Integer({ minimum: 0, maximum: maxNodes - 1 })),
});
const KeptFit = Type.Object({
  version: Type.Literal(version),
  endMs: Type.Number({ minimum: 0, maximum: 4_102_444_800_000 }),
  steps: Type.Integer({ minimum: 1, maximum: 1440 }),
  stepMs: Type.Integer({ minimum: 1, maximum: dayMs }),
  linear: Type.Array(Type.Array(Amount, inputs), quantiles),
  trees: Type.Array(Type.Array(KeptTree, { maxItems: maxTrees }), quantiles),
});
const Sealed = Type.Object({ sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }), fit: Type.Unknown() });

const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");

/** Tells if every path through the nodes ends: children come after their parent, and both are there. */
function ends({ columns, values, children }: Static<typeof KeptTree>): boolean {
  const count = columns.length;
  return (
    values.length === count &&
    children.length === count &&
    columns.every((column, node) => {
      const child = children[node] as number;
      return column === -1 ? child === 0 : child > node && child + 1 < count;
    })
  );
}

/** Writes a fit with its version and checksum. */
export function treesToText({ linear, trees, endMs, steps, stepMs }: TreeFit): string {
  const fit: Static<typeof KeptFit> = {
    ...{ version, endMs: Math.round(endMs), steps, stepMs },
    linear: linear.map((coefficients) => [...coefficients]),
    trees: trees.map((own) =>
      own.map(({ columns, values, children }) => ({
        ...{ columns: [...columns], values: [...values], children: [...children] },
      })),
    ),
  };
  return JSON.stringify({ sha256: sha256(JSON.stringify(fit)), fit });
}

/** Reads a fit; null for anything that this version did not write, or that was changed since. */
export function treesFromText(text: string): TreeFit | null {
  try {
    const sealed: unknown = JSON.parse(text);
    if (!Value.Check(Sealed, sealed) || !Value.Check(KeptFit, sealed.fit)) return null;
    const { fit } = sealed;
    if (sha256(JSON.stringify(fit)) !== sealed.sha256 || !fit.trees.flat().every(ends)) return null;
    const { linear, trees, endMs, steps, stepMs } = fit;
    return { linear: linear.map((coefficients) => Float64Array.from(coefficients)), trees, endMs, steps, stepMs };
  } catch {
    return null;
  }
}

/** Keeps a fit from one run to the next, and takes over one that another process has made. */
export class KeptTrees {
  readonly #memory: TextMemory;
  #seen: string | null = null;

  constructor(memory: TextMemory) {
    this.#memory = memory;
  }

  /** Returns a fit that was not returned before and was not saved by this run; null without one. */
  newest(): TreeFit | null {
    const text = this.#memory.load();
    if (text === null || text === this.#seen) return null;
    this.#seen = text;
    return treesFromText(text);
  }

  save(fit: TreeFit): void {
    this.#seen = treesToText(fit);
    this.#memory.save(this.#seen);
  }
}
