import { readFileSync } from "node:fs";
import { describeError, UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { readSecretFile } from "#platform/files/read-secret-file.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { assertNoOpenCopy } from "../migrate/migrate-store.ts";
import { PostgresDatabase } from "./postgres-database.ts";
import { migratePostgres } from "./postgres-migrations.ts";
import { type StoreConfig, usesTls } from "./store-config.ts";

const retryMs = 1_000;

function readAuthority(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(`store.caFile: expected a certificate in PEM, but ${path} can't be read`, { cause });
  }
}

/** True for faults that waiting does not fix: the server answered, and refused the login, the database or the schema. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UsageError) return true;
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  const isCertificate = /^(ERR_TLS|UNABLE_TO|CERT_|DEPTH_ZERO|SELF_SIGNED|ERR_POSTGRES_TLS)/.test(String(code));
  return isCertificate || /^(28|3D|42|3F)/.test(String(errno));
}

/**
 * Opens the schema of a configured store and brings it up to date. A server that can't be reached is waited for, as it may start later than this.
 * @param isFenced true: writes need the lease
 * @param signal ends the wait; null: there is none
 * @throws UsageError when the server refuses the login, the database or the schema; null when `signal` aborted first
 */
export async function openPostgres(
  config: StoreConfig & { readonly url: string },
  { isFenced, log, signal }: { readonly isFenced: boolean; readonly log: Logger; readonly signal: AbortSignal | null },
): Promise<PostgresDatabase | null> {
  const { url, username, password, passwordFile, schema, caFile, maxConnections } = config;
  const read = () => password ?? (passwordFile === null ? "" : readSecretFile(passwordFile, "store.passwordFile"));
  let known = read();
  const counted = createCountedLog(log, Date.now);
  // A file that is being replaced: the password before may still be good.
  const secret = () => {
    try {
      known = read();
    } catch (error) {
      counted.note("the store's password file can't be used", { err: describeError(error) });
    }
    return known;
  };
  const database = new PostgresDatabase({
    ...{ url, username: username ?? "thormesh", password: secret, schema, maxConnections, isFenced },
    tls: usesTls(config) ? (caFile === null ? {} : { ca: readAuthority(caFile) }) : null,
  });
  const shownUrl = redactUrl(url);
  for (let tries = 0; ; tries += 1) {
    try {
      await migratePostgres(database);
      if (isFenced) await assertNoOpenCopy(database);
      return database;
    } catch (error) {
      if (isRefusal(error) || signal === null) {
        await database.close();
        throw new UsageError(`store.url: ${shownUrl} can't be used: ${describeError(error)}`, { cause: error });
      }
      if (tries === 0) log.warn({ url: shownUrl, err: describeError(error) }, "waiting for the store's server");
      await Bun.sleep(retryMs);
      if (!signal.aborted) continue;
      await database.close();
      return null;
    }
  }
}
