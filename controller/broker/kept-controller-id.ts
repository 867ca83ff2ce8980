import { join } from "node:path";

/** What this controller is called at brokers, made once and kept beside its store. */
export async function keptControllerId(stateDir: string): Promise<string> {
  const file = Bun.file(join(stateDir, "controller-id"));
  const kept = (await file.exists()) ? (await file.text()).trim() : "";
  if (/^[0-9a-f-]{36}$/.test(kept)) return kept;
  const made = crypto.randomUUID();
  await Bun.write(file, `${made}\n`);
  return made;
}
