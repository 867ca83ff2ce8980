import { SQL } from "bun";
import { describeError, ServiceError } from "#platform/errors.ts";
import { NotLeadingError } from "./not-leading.ts";

/** A parameter of a statement. Numbers that are no integers and all times go as they are; JSON goes as text. */
export type Parameter = string | number | boolean | null | SqlArray;
/** A column of many rows, for `unnest`. */
export type SqlArray = ReturnType<SQL["array"]>;
export type ArrayType = "TEXT" | "INT8" | "FLOAT8" | "BOOLEAN";

/** Statements within one transaction, or outside of any. */
export interface Statements {
  /** Rows of a query. Cast int8 columns to float8: Bun gives int8 as text. */
  rows<Row>(text: string, parameters?: readonly Parameter[]): Promise<Row[]>;
  /** Runs a statement; resolves with the number of rows that it changed. */
  run(text: string, parameters?: readonly Parameter[]): Promise<number>;
  array(values: readonly (string | number | boolean | null)[], type: ArrayType): SqlArray;
}

export interface PostgresOptions {
  readonly url: string;
  readonly schema: string;
  readonly username: string;
  /** Called for each connection: the password may be changed while the controller runs. It must not throw. */
  readonly password: () => string;
  /** Encryption with the server's certificate checked, by this authority or, without one, by those that this machine trusts; null: none. */
  readonly tls: { readonly ca?: string } | null;
  readonly maxConnections: number;
  /** True: writes need the lease's term. False: a tool that an operator runs. */
  readonly isFenced: boolean;
}

/** Server-side limits: a controller that hangs within a transaction must not keep the next leader from its locks. */
const sessionSettings = {
  application_name: "thormesh",
  idle_in_transaction_session_timeout: "4000",
  lock_timeout: "20000",
  statement_timeout: "60000",
} as const;

/** Longest wait for an answer; the server's own limits end what it still works on. */
const answerWithinMs = 75_000;
const maxTries = 4;

/** True for errors after which the same transaction may succeed: serialization failure, deadlock. */
function isWorthAnotherTry(error: unknown): boolean {
  return ["40001", "40P01"].includes(String((error as { errno?: unknown }).errno));
}

/** True where the server refused the values, which it always will. */
export function isRefusedValue(error: unknown): boolean {
  return /^2[123]/.test(String((error as { errno?: unknown }).errno));
}

function statementsOn(sql: Pick<SQL, "unsafe" | "array">): Statements {
  const send = (text: string, parameters: readonly Parameter[]) => sql.unsafe(text, [...parameters]);
  return {
    rows: async (text, parameters = []) => [...(await send(text, parameters))],
    run: async (text, parameters = []) => (await send(text, parameters)).count ?? 0,
    array: (values, type) => sql.array([...values], type),
  };
}

/** Connections to one schema of a PostgreSQL server. Writes of a controller are bound to the term of its lease. */
export class PostgresDatabase {
  readonly #options: PostgresOptions;
  #pool: SQL;
  #term: number | null = null;
  #fault: string | null = null;
  #isClosed = false;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.#pool = this.#open();
  }

  get schema(): string {
    return this.#options.schema;
  }

  /** Last failure, if nothing has succeeded since; null: the server answers. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Term that writes are bound to; null: none, so that a controller may not write. */
  get term(): number | null {
    return this.#term;
  }

  bindTo(term: number | null): void {
    this.#term = term;
  }

  /** Columns as parameters, without a connection. */
  array(values: readonly (string | number | boolean | null)[], type: ArrayType): SqlArray {
    return this.#pool.array([...values], type);
  }

  rows<Row>(text: string, parameters: readonly Parameter[] = [], withinMs = answerWithinMs): Promise<Row[]> {
    return this.#watched(withinMs, (pool) => statementsOn(pool).rows<Row>(text, parameters));
  }

  /** Runs one statement as a write of its own. */
  run(text: string, parameters: readonly Parameter[] = []): Promise<number> {
    return this.write((statements) => statements.run(text, parameters));
  }

  /** Runs a transaction that no lease is asked for: the lease itself, migrations. */
  unbound<T>(work: (statements: Statements) => Promise<T>, withinMs = answerWithinMs): Promise<T> {
    return this.#watched(
      withinMs,
      (pool) => pool.begin((transaction) => work(statementsOn(transaction))) as Promise<T>,
    );
  }

  /**
   * Runs a transaction, again after a deadlock.
   * @throws NotLeadingError when this is a controller and another one has the lease: the row is locked, so that none can take it meanwhile.
   */
  async write<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.unbound(async (statements) => {
          await this.#assertLeads(statements);
          return work(statements);
        });
      } catch (error) {
        if (tries >= maxTries || !isWorthAnotherTry(error)) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.close({ timeout: 5 });
  }

  async #assertLeads(statements: Statements): Promise<void> {
    if (!this.#options.isFenced) return;
    if (this.#term === null) throw new NotLeadingError();
    const held = await statements.rows(`SELECT 1 FROM lease WHERE id = 1 AND term = $1 FOR SHARE`, [this.#term]);
    if (held.length === 0) throw new NotLeadingError();
  }

  #open(): SQL {
    const { url, username, password, schema, tls, maxConnections } = this.#options;
    return new SQL({
      ...{ url, username, password },
      max: maxConnections,
      connectionTimeout: 5,
      idleTimeout: 60,
      connection: { ...sessionSettings, search_path: schema },
      // Without rejectUnauthorized any certificate would do.
      ...(tls === null ? {} : { tls: { ...tls, rejectUnauthorized: true } }),
    });
  }

  /** A query that gets no answer holds its connection for good, so that all are opened anew. */
  async #watched<T>(withinMs: number, ask: (pool: SQL) => Promise<T>): Promise<T> {
    const pool = this.#pool;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new ServiceError("STORE_UNAVAILABLE", `the store's server did not answer within ${withinMs / 1000} s`));
      if (this.#pool !== pool || this.#isClosed) return;
      this.#pool = this.#open();
      void pool.close({ timeout: 0 }).catch(() => undefined);
    }, withinMs);
    try {
      const asked = ask(pool);
      asked.catch(() => undefined);
      const answer = await Promise.race([asked, overdue]);
      this.#fault = null;
      return answer;
    } catch (error) {
      // What the server refuses for its content says nothing about the server.
      if (!(error instanceof NotLeadingError || isRefusedValue(error))) this.#fault = describeError(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
