import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const deploy = join(import.meta.dir, "..", "..", "deploy");

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Rules of deploy/prometheus, recording rules and alerts. */
export function rulesOf(): readonly Rule[] {
  const folder = join(deploy, "prometheus");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".rules.yml"))
    .flatMap((file) => {
      const { groups } = parse(readFileSync(join(folder, file), "utf8")) as { groups: { rules: Rule[] }[] };
      return groups.flatMap((group) => group.rules);
    });
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly Panel[];
}

/** Dashboards of deploy/grafana. */
export function dashboards(): readonly Dashboard[] {
  const folder = join(deploy, "grafana", "dashboards");
  return readdirSync(folder).map((file) => ({ file, ...JSON.parse(readFileSync(join(folder, file), "utf8")) }));
}

/** Expressions of a dashboard: its panels', annotations' and variables'. */
export function expressionsOf({ panels, annotations, templating }: Dashboard): readonly string[] {
  return [
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...annotations.list.map(({ expr }) => expr),
    ...templating.list.flatMap(({ query }) => (typeof query === "string" ? [] : [query.query])),
  ];
}

/** Names of metrics in an expression of PromQL: what is neither a function, a keyword, a label nor a text. */
export function metricNames(expression: string): readonly string[] {
  const bare = expression
    .replace(/#.*$/gm, "")
    .replace(/"[^"]*"/g, "")
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ")
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, " ")
    .replace(/label_values\(([^,]+),[^)]*\)/g, " $1 ");
  const words = [...bare.matchAll(/[a-zA-Z_][a-zA-Z0-9_:]*(?=(\s*\()?)/g)];
  const keywords = new Set(["and", "or", "unless", "bool", "offset"]);
  return [
    ...new Set(
      words
        .filter(({ 0: word, 1: call }) => call === undefined && !keywords.has(word) && word.length > 2)
        .map(([word]) => word),
    ),
  ];
}
