import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import type { Logger } from "#platform/log.ts";
import type { KeptStore } from "../store/store.ts";

const sharedName = "controller-id";
const KeptId = Type.Object({ id: Type.String({ pattern: "^[0-9a-f-]{36}$" }) });

/** Returns the id of whichever controller leads: a broker ends the connection of the one before, and hands over what it kept for it. */
export async function sharedControllerId(store: KeptStore): Promise<string> {
  const kept = await store.loadKept(sharedName, KeptId);
  const id = kept?.id ?? crypto.randomUUID();
  if (kept === null) await store.saveKept(sharedName, { id });
  return id;
}

/** Returns this controller's id at brokers, created once and kept beside its store; if it can't be kept, new with every start. */
export async function keptControllerId(stateDir: string, log: Logger): Promise<string> {
  const path = join(stateDir, "controller-id");
  try {
    const kept = (await readRegularText(path)).trim();
    if (/^[0-9a-f-]{36}$/.test(kept)) return kept;
    log.warn({ path }, "the file does not hold a controller's id: it is replaced");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      log.warn({ path, err: describeError(error) }, "the controller's id can't be read: it is replaced");
  }
  const made = crypto.randomUUID();
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    writeSecretFile(path, `${made}\n`);
  } catch (error) {
    log.warn({ path, err: describeError(error) }, "the controller's id can't be kept: it changes with the next start");
  }
  return made;
}
