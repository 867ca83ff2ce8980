import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { UsageError } from "#platform/errors.ts";
import { describeMismatches, parseConfig } from "#platform/files/read-config.ts";

/** A decision that can be asked for by name: what it reads, and the answer for one input or for a list of them. */
export interface DecisionEntry {
  readonly summary: string;
  /** JSON Schema of one input. */
  readonly schema: TSchema;
  /**
   * The answer, or a promise of it where the decision needs a solver.
   * @throws UsageError naming `source` and everything that is wrong with the input.
   */
  answer(input: unknown, source: string): unknown;
}

/** `check` says what a schema can't: one line for each mistake, beginning with the path. */
export function decisionEntry<T extends TSchema>(
  summary: string,
  schema: T,
  decide: (input: Static<T>) => unknown,
  check: (input: Static<T>) => readonly string[] = () => [],
): DecisionEntry {
  const list = Type.Array(schema);
  return {
    summary,
    schema,
    answer(input, source) {
      const isList = Array.isArray(input);
      let inputs: Static<T>[];
      try {
        inputs = isList ? parseConfig(list, input, source) : [parseConfig(schema, input, source)];
      } catch (error) {
        const more = checkAnyway(isList ? input : [input], check).map(([index, line]) =>
          isList ? `${index}.${line}` : line,
        );
        throw error instanceof UsageError ? new UsageError([error.message, ...more].join("\n  ")) : error;
      }
      const mistakes = inputs.flatMap((each, index) => check(each).map((line) => (isList ? `${index}.${line}` : line)));
      if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
      const answers = inputs.map((each) => decide(each));
      if (!isList) return answers[0];
      return answers.some((answer) => answer instanceof Promise) ? Promise.all(answers) : answers;
    },
  };
}

/** Adds to each decision the sentence that explains it, as `reason`. */
export function explained<Input, Decision extends object>(
  decide: (input: Input) => Decision,
  explain: (decision: Decision) => string,
): (input: Input) => Decision & { readonly reason: string } {
  return (input) => {
    const decision = decide(input);
    return { ...decision, reason: explain(decision) };
  };
}

/** What `check` finds in inputs that the schema refuses already, so that all mistakes are named at once; nothing where it can't cope with them. */
function checkAnyway<T>(inputs: readonly unknown[], check: (input: T) => readonly string[]): [number, string][] {
  return inputs.flatMap((input, index) => {
    try {
      return check(input as T).map((line): [number, string] => [index, line]);
    } catch {
      return [];
    }
  });
}

/** A decision whose input has a `kind`, with an entry for each: the mistakes named are those of the kind that is meant. */
export function decisionByKind(summary: string, kinds: Readonly<Record<string, DecisionEntry>>): DecisionEntry {
  const kind = Type.Union(Object.keys(kinds).map((name) => Type.Literal(name)));
  const named = Type.Object({ kind });
  const answerOne = (input: unknown, source: string) => {
    const mistakes = describeMismatches(named, input);
    if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
    return kinds[(input as { kind: string }).kind]?.answer(input, source);
  };
  return {
    summary,
    schema: Type.Union(Object.values(kinds).map(({ schema }) => schema)),
    answer: (input, source) =>
      Array.isArray(input)
        ? input.map((each, index) => answerOne(each, `${source}, item ${index},`))
        : answerOne(input, source),
  };
}
