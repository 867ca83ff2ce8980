import type { Database } from "bun:sqlite";
import type { StateDatabase } from "#platform/files/open-database.ts";

/** Database whose disk fails at the operations a test chooses. A failed operation changes nothing. */
export interface FailingDatabase {
  readonly database: StateDatabase;
  /** Number of operations so far: statements, and starts and ends of transactions. */
  operations(): number;
  /** Their names, in order. */
  readonly names: string[];
}

/** @param fails called with the number of each operation, from 0, and its SQL */
export function createFailingDatabase(
  real: Database,
  fails: (operation: number, sql: string) => string | null,
): FailingDatabase {
  const names: string[] = [];
  const step = (sql: string) => {
    const code = fails(names.length, sql);
    names.push(sql);
    if (code !== null) throw Object.assign(new Error("the disk fails"), { code });
  };
  const statement = (sql: string) => {
    const use =
      (how: "get" | "all" | "run") =>
      (...values: never[]) => {
        step(sql);
        return real.query(sql)[how](...values);
      };
    return { get: use("get"), all: use("all"), run: use("run") };
  };
  return {
    database: {
      query: statement as unknown as Database["query"],
      transaction: ((work: () => unknown) => () => {
        step("BEGIN");
        return real.transaction(() => {
          const result = work();
          step("COMMIT");
          return result;
        })();
      }) as unknown as Database["transaction"],
    },
    operations: () => names.length,
    names,
  };
}
