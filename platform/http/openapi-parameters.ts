import type { TProperties } from "@sinclair/typebox";

interface Route {
  readonly method: string;
  readonly path: string;
  readonly hooks?: Readonly<Record<string, unknown>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema?: Record<string, unknown>;
}

type Paths = Readonly<Record<string, Readonly<Record<string, { readonly parameters?: readonly Parameter[] }>>>>;

/** Parts of a request whose schemas describe parameters, by their names in a document. */
const partOf: Readonly<Record<string, string>> = { query: "query", path: "params", header: "headers" };
const annotations = ["default", "title", "description"] as const;

/**
 * Completes parameters by the schemas of their routes: of one that takes some words only, Elysia tells the words, but neither its default, without
 * which it seems to be required, nor what is said of it.
 */
export function completeParameters(paths: Paths, routes: readonly Route[]): void {
  for (const { method, path, hooks = {} } of routes) {
    const operation = paths[path.replaceAll(/:(\w+)\??/g, "{$1}")]?.[method.toLowerCase()];
    for (const { name, in: place, schema } of operation?.parameters ?? []) {
      const part = hooks[partOf[place] ?? ""] as { readonly properties?: TProperties } | undefined;
      const known = part?.properties?.[name];
      if (schema === undefined || known === undefined) continue;
      for (const annotation of annotations)
        if (known[annotation] !== undefined) schema[annotation] ??= known[annotation];
    }
  }
}
