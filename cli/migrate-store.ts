import { existsSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { parseControllerConfig } from "#controller/check-config.ts";
import { createControllerLease } from "#controller/controller-lease.ts";
import { migrateStore } from "#controller/store/migrate/migrate-store.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { openPostgres } from "#controller/store/postgres/open-postgres.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { KeptStore } from "#controller/store/store.ts";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { openDatabase, recentDamage } from "#platform/files/open-database.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { createLogger } from "#platform/log.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { mergeConfig } from "./run/merge-config.ts";
import { readInput } from "./run/read-input.ts";
import { warnOfOpenSecret } from "./run/warn-of-open-secret.ts";

const idName = "store-id";
const KeptId = Type.Object({ id: Type.String({ pattern: "^[0-9a-f-]{36}$" }) });

/** Name of a store, made once, so that a copy of it is known. */
async function idOf(store: KeptStore): Promise<string> {
  const kept = await store.loadKept(idName, KeptId);
  const id = kept?.id ?? crypto.randomUUID();
  if (kept === null) await store.saveKept(idName, { id });
  return id;
}

/** Copies the store of a controller that does not run into PostgreSQL, and compares both. */
export async function migrateControllerStore(values: OptionValues, names: readonly string[]): Promise<number> {
  if (names.length > 0) throw new UsageError(`expected options only, got "${names.join(" ")}"`);
  const { input, source } = await readInput("controller", optionalString(values, "config"), process.env, true);
  const to = optionalString(values, "to");
  const password = secretFromEnvironment(process.env, "THORMESH_STORE_PASSWORD");
  const { store: config, stateDir } = parseControllerConfig(
    mergeConfig(input, { stateDir: optionalString(values, "state-dir"), store: { url: to, password } }),
    source,
  );
  const { url } = config;
  if (url === null) throw new UsageError("--to: expected an address like postgres://host:5432/database, got none");
  const path = join(stateDir ?? defaultStateDir("controller", process.env), "controller.db");
  if (!existsSync(path)) throw new UsageError(`${path} does not exist: give the state directory with --state-dir`);
  warnOfOpenSecret(
    "--to",
    to,
    createLogger("controller", "warn"),
    "store.passwordFile or THORMESH_STORE_PASSWORD_FILE",
  );
  closeNewFiles();
  const log = createLogger("controller", "error");
  const database = openDatabase(path, controllerMigrations, log, Date.now());
  const store = createSqliteStore(database);
  const stopping = new AbortController();
  const lease = createControllerLease({ store, isShared: false, log, onLost: () => undefined });
  try {
    if (recentDamage(path, Date.now()) !== null)
      throw new UsageError(`${path} was damaged: restore it from a copy first`);
    // A running controller would keep writing to the files being copied.
    const held = lease.acquire(stopping.signal, () => stopping.abort());
    if (!(await held)) throw new UsageError(`a controller uses ${path}: stop it first`);
    const target = await openPostgres({ ...config, url }, { isFenced: false, log, signal: null });
    if (target === null) throw new Error("the store's server was not opened. This is a bug.");
    try {
      const moved = await migrateStore({
        ...{ source: database, sourceId: await idOf(store), target },
        onRows: (table, rows) => {
          if (values["json"] !== true && process.stderr.isTTY) process.stderr.write(`${table}: ${rows} more rows\n`);
        },
      });
      if (values["json"] === true) printLine(JSON.stringify({ tables: moved }, null, 2));
      else {
        for (const { table, rows, hash } of moved)
          printLine(`${table.padEnd(16)} ${String(rows).padStart(12)}  ${hash.slice(0, 16)}`);
        printLine(
          `Copied and compared: ${moved.length} tables. Set store.url to ${redactUrl(url)} in the controller's configuration; ${path} stays as it is.`,
        );
      }
    } finally {
      await target.close();
    }
    return 0;
  } finally {
    await lease.release();
    await store.close();
  }
}
