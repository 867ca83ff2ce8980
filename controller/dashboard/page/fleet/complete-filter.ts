/** Fields that a filter can name; the server knows their values. */
export const filterFields = ["state", "region", "model", "version", "board", "tag", "note"] as const;

/** Part of a filter that is being written: the last one. */
export interface LastTerm {
  /** Everything before it. */
  readonly before: string;
  /** `-` of a term that is to exclude. */
  readonly minus: string;
  /** Field that it names; null: none yet, or an agent's id. */
  readonly field: string | null;
  readonly part: string;
}

/** Reads the last term of a filter, as far as it is written. */
export function readLastTerm(text: string): LastTerm {
  const match = /^(.*?)(-?)(?:([a-z]+):)?"?([^"\s]*|(?<=")[^"]*)$/.exec(text);
  const [, before = text, minus = "", field = null, part = ""] = match ?? [];
  return { before, minus, field, part };
}

const quoted = (value: string) => (/[\s"\\]/.test(value) ? `"${value.replaceAll(/["\\]/g, "\\$&")}"` : value);

/** Filters that a term can be completed to, with the values that the server told of its field. */
export function completeFilter({ before, minus, field, part }: LastTerm, values: readonly string[]): readonly string[] {
  if (field === null)
    return filterFields.filter((each) => each.startsWith(part)).map((each) => `${before}${minus}${each}:`);
  return values.map((value) => `${before}${minus}${field}:${quoted(value)}`);
}
