import type { Birth } from "#protocol/messages.ts";
import type { WatchedAgent } from "./fleet-watch.ts";

/** Maximum length of a filter, and max number of its terms. */
export const maxFilterLength = 256;
const maxTerms = 8;

/** Fields of agents that a filter can name. */
export const filterFields = ["state", "region", "model", "version", "board", "tag", "note"] as const;
export type FilterField = (typeof filterFields)[number];

/** One condition of a filter; all of them have to hold. */
export interface FilterTerm {
  /** Null: the agent's id. */
  readonly field: FilterField | null;
  readonly value: string;
  /** False: the value is a part of the field's, whatever the case of its letters. */
  readonly isExact: boolean;
  readonly isNegated: boolean;
}

export const filterForms =
  'words that ids contain and conditions such as state:offline region:"hall 1" model~mini tag:rack=r7 -note:yes';

// A value in quotes may contain spaces, and quotes of its own behind a backslash.
const quoted = '"((?:[^"\\\\]|\\\\.)*)"';
const term = new RegExp(`^(-?)(?:(${filterFields.join("|")})([:~]))?(?:${quoted}|([^\\s"]+))(?:\\s+|$)`);
const unquote = (text: string) => text.replaceAll(/\\(.)/g, "$1");

/** Parses a filter of agents; an empty one has no terms. */
export function parseAgentFilter(text: string): readonly FilterTerm[] | { readonly expected: string } {
  const terms: FilterTerm[] = [];
  let rest = text.trimStart();
  if (text.length > maxFilterLength) return { expected: `at most ${maxFilterLength} characters` };
  while (rest !== "") {
    const match = term.exec(rest);
    if (match === null) return { expected: filterForms };
    const [all, minus, field = null, operator, inQuotes, bare = ""] = match;
    const value = inQuotes === undefined ? bare : unquote(inQuotes);
    if (field === null && /^[a-z]+[:~]/.test(bare))
      return { expected: `${filterForms}; fields: ${filterFields.join(", ")}` };
    terms.push({
      ...{ field: field as FilterField | null, value, isExact: operator === ":" },
      isNegated: minus === "-",
    });
    if (terms.length > maxTerms) return { expected: `at most ${maxTerms} terms` };
    rest = rest.slice(all.length);
  }
  return terms;
}

/** Tags as text, by the birth that names them: ten thousand agents are searched for each letter that is typed. */
const tagTexts = new WeakMap<Birth, readonly string[]>();

function tagsOf(birth: Birth | null): readonly string[] {
  if (birth === null) return [];
  const known = tagTexts.get(birth);
  if (known !== undefined) return known;
  const texts = Object.entries(birth.tags).map(([name, value]) => `${name}=${value}`);
  tagTexts.set(birth, texts);
  return texts;
}

/** Values that an agent has of a field. */
export function valuesOf({ agent, condition, hasNote }: WatchedAgent, field: FilterField): readonly string[] {
  const { presence, birth } = agent;
  const one = (value: string | null | undefined) =>
    value === null || value === undefined || value === "" ? [] : [value];
  switch (field) {
    case "state":
      return [condition];
    case "region":
      return one(birth?.region ?? presence?.region);
    case "model":
      return presence?.models ?? [];
    case "version":
      return one(presence?.version ?? birth?.version);
    case "board":
      return one(birth?.board.name);
    case "tag":
      return tagsOf(birth);
    case "note":
      return [hasNote ? "yes" : "no"];
    default:
      return field satisfies never;
  }
}

function isMet(watched: WatchedAgent, { field, value, isExact }: FilterTerm): boolean {
  const part = value.toLowerCase();
  if (field === null) return watched.agent.agentId.toLowerCase().includes(part);
  const values = valuesOf(watched, field);
  if (!isExact) return values.some((each) => each.toLowerCase().includes(part));
  // A tag's name alone stands for any value.
  return values.some((each) => each === value || (field === "tag" && each.startsWith(`${value}=`)));
}

/** True for an agent that meets all terms. */
export function meetsFilter(watched: WatchedAgent, terms: readonly FilterTerm[]): boolean {
  return terms.every((each) => isMet(watched, each) !== each.isNegated);
}

/** Value of a field with the number of agents that have it. */
export interface CountedValue {
  readonly value: string;
  readonly agents: number;
}

/** Lists the values that agents have of a field and that contain a text: those that begin with it first, then the most frequent. */
export function countValues(
  agents: Iterable<WatchedAgent>,
  field: FilterField,
  part: string,
  limit: number,
): { readonly values: CountedValue[]; readonly more: number } {
  const counts = new Map<string, number>();
  const wanted = part.toLowerCase();
  for (const watched of agents)
    for (const value of valuesOf(watched, field))
      if (value.toLowerCase().includes(wanted)) counts.set(value, (counts.get(value) ?? 0) + 1);
  const begins = (value: string) => (value.toLowerCase().startsWith(wanted) ? 0 : 1);
  const all = [...counts]
    .map(([value, agents]) => ({ value, agents }))
    .sort((a, b) => begins(a.value) - begins(b.value) || b.agents - a.agents || (a.value < b.value ? -1 : 1));
  return { values: all.slice(0, limit), more: Math.max(0, all.length - limit) };
}
