import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { invalidInput, parseConfig } from "#platform/files/read-config.ts";

/** Decision that can be replayed by name. */
export interface DecisionEntry {
  readonly summary: string;
  /** JSON Schema of one input. */
  readonly schema: TSchema;
  /**
   * Answers one input or an array of them; returns a promise where the decision needs a solver.
   * @throws UsageError naming `source` and all mistakes in the input.
   */
  answer(input: unknown, source: string): unknown;
}

/** Creates an entry. `check` finds mistakes that a schema can't express: one line each, beginning with the path. */
export function decisionEntry<T extends TSchema>(
  summary: string,
  schema: T,
  decide: (input: Static<T>) => unknown,
  check: (input: Static<T>) => readonly string[] = () => [],
): DecisionEntry {
  const list = Type.Array(schema);
  const checkEach = (inputs: readonly Static<T>[]) =>
    inputs.flatMap((each, index) => checkAnyway(each, check).map((line) => `${index}.${line}`));
  return {
    summary,
    schema,
    answer(input, source) {
      if (!Array.isArray(input)) return decide(parseConfig(schema, input, source, check));
      const inputs: Static<T>[] = parseConfig(list, input, source, checkEach);
      const answers = inputs.map((each) => decide(each));
      return answers.some((answer) => answer instanceof Promise) ? Promise.all(answers) : answers;
    },
  };
}

/** Adds to each decision the sentence that explains it, as `reason`. */
export function explained<Input, Decision extends object>(
  decide: (input: Input) => Decision,
  explain: (decision: Decision, input: Input) => string,
): (input: Input) => Decision & { readonly reason: string } {
  return (input) => {
    const decision = decide(input);
    return { ...decision, reason: explain(decision, input) };
  };
}

/** Checks one input of a list, which may not match its schema: then `check` may throw, and the schema's mistakes are enough. */
function checkAnyway<T>(input: T, check: (input: T) => readonly string[]): readonly string[] {
  try {
    return check(input);
  } catch {
    return [];
  }
}

/** Creates the entry of a decision whose input has a `kind`, from an entry for each kind. */
export function decisionByKind(summary: string, kinds: Readonly<Record<string, DecisionEntry>>): DecisionEntry {
  const kind = Type.Union(Object.keys(kinds).map((name) => Type.Literal(name)));
  const named = Type.Object({ kind });
  const answerOne = (input: unknown, source: string) => {
    const mistakes = explainMistakes(named, input);
    if (mistakes.length > 0) throw invalidInput(source, mistakes);
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
