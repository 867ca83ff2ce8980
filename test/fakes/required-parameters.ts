/** Parameter of a query as an OpenAPI document describes it. */
export interface QueryParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: { readonly default?: unknown; readonly enum?: readonly string[] };
}

interface Given {
  /** Paths that are not asked, as their answers have no end. */
  readonly skip?: readonly string[];
  /** Values of required parameters, by name. Default: the first word that one takes. */
  readonly usual?: Readonly<Record<string, string>>;
}

/** Lists parameters of GET routes whose `required` in the server's document is not what the server does. */
export async function wronglyRequired(url: string, { skip = [], usual = {} }: Given = {}): Promise<string[]> {
  const { paths } = (await (await fetch(`${url}/openapi/json`)).json()) as {
    paths: Record<string, { get?: { parameters?: readonly QueryParameter[] } }>;
  };
  const wrong: string[] = [];
  for (const [path, { get }] of Object.entries(paths)) {
    if (get === undefined || skip.includes(path)) continue;
    const query = (get.parameters ?? []).filter((each) => each.in === "query");
    const required = query.filter((each) => each.required === true);
    for (const { name, schema } of required)
      if (schema !== undefined && "default" in schema) wrong.push(`${path}: ${name} is required and has a default`);
    for (const left of [null, ...required]) {
      const given = required
        .filter((each) => each !== left)
        .map(({ name, schema }) => [name, usual[name] ?? schema?.enum?.[0] ?? "1"] as const);
      const asked = `${path.replaceAll(/\{[^}]+\}/g, "thor-1")}?${new URLSearchParams(Object.fromEntries(given))}`;
      const answer = await fetch(url + asked);
      const text = await answer.text();
      // An id in the path that there can't be says nothing of the query.
      if (text.startsWith('{"error":"params:')) continue;
      if ((answer.status === 400) !== (left !== null))
        wrong.push(`${asked}: ${left === null ? "refused" : `answered without ${left.name}`}: ${text.slice(0, 200)}`);
    }
  }
  return wrong;
}
