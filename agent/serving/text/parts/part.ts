/** A part of tokenizer.json, whose options are taken one by one: those that were not taken are refused. */
export class Part {
  readonly type: string;
  readonly #place: string;
  readonly #options: Map<string, unknown>;

  /** @param place in the file, e.g. `normalizer.normalizers.0` */
  constructor(definition: unknown, place: string) {
    this.#place = place;
    if (typeof definition !== "object" || definition === null || Array.isArray(definition))
      throw this.#refuse("", "an object", definition);
    const { type, ...options } = definition as { type?: unknown };
    if (typeof type !== "string") throw this.#refuse(".type", "a text", type);
    this.type = type;
    this.#options = new Map(Object.entries(options));
  }

  take(name: string): unknown {
    const value = this.#options.get(name);
    this.#options.delete(name);
    return value ?? undefined;
  }

  #taken<T>(name: string, expected: string, isExpected: (value: unknown) => value is T): T {
    const value = this.take(name);
    if (!isExpected(value)) throw this.#refuse(`.${name}`, expected, value);
    return value;
  }

  optionalBoolean(name: string): boolean | undefined {
    return this.#taken(name, "true or false", (value) => value === undefined || typeof value === "boolean");
  }

  boolean(name: string, otherwise: boolean): boolean {
    return this.optionalBoolean(name) ?? otherwise;
  }

  text(name: string, otherwise?: string): string {
    const value = this.#taken(name, "a text", (given) => given === undefined || typeof given === "string") ?? otherwise;
    if (value === undefined) throw this.#refuse(`.${name}`, "a text", value);
    return value;
  }

  oneOf<const Name extends string>(name: string, names: readonly Name[], otherwise: Name): Name {
    const value = this.text(name, otherwise);
    const found = names.find((each) => each === value);
    if (found === undefined) throw this.#refuse(`.${name}`, `one of ${names.join(", ")}`, value);
    return found;
  }

  wholeNumber(name: string, otherwise?: number): number {
    const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;
    const value = this.take(name) ?? otherwise;
    if (!isWhole(value)) throw this.#refuse(`.${name}`, "a whole number above 0", value);
    return value;
  }

  parts(name: string): Part[] {
    const list = this.#taken(name, "a list", (value): value is unknown[] => Array.isArray(value));
    return list.map((each, i) => new Part(each, `${this.#place}.${name}.${i}`));
  }

  /** Error for an option's value. */
  refuse(name: string, expected: string, got: unknown): Error {
    return this.#refuse(`.${name}`, expected, got);
  }

  unknownType(): Error {
    return new Error(`${this.#place}: ${JSON.stringify(this.type)} is a part that is not supported`);
  }

  /** @throws Error for the first option that was not taken and has a value. */
  refuseOthers(): void {
    for (const [name, value] of this.#options) {
      if (value !== null && value !== undefined)
        throw new Error(`${this.#place}.${name}: this option of ${this.type} is not supported, got ${show(value)}`);
    }
  }

  #refuse(place: string, expected: string, got: unknown): Error {
    return new Error(`${this.#place}${place}: expected ${expected}, got ${show(got)}`);
  }
}

const show = (value: unknown) => (value === undefined ? "none" : JSON.stringify(value).slice(0, 100));
