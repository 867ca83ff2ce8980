import { Database } from "bun:sqlite";
import { chmodSync, existsSync, renameSync, unlinkSync } from "node:fs";

/** Copies a database as it is at one moment, while others go on writing to it, into a file that only this user can read. */
export function copyDatabase(from: string, to: string): void {
  const temporary = `${to}.part`;
  if (existsSync(temporary)) unlinkSync(temporary);
  const umask = process.umask(0o077);
  try {
    const database = new Database(from, { readwrite: true, create: false, strict: true });
    try {
      database.run("PRAGMA busy_timeout = 5000");
      database.query("VACUUM INTO ?").run(temporary);
    } finally {
      database.close();
    }
  } finally {
    process.umask(umask);
  }
  chmodSync(temporary, 0o600);
  renameSync(temporary, to);
}
