import { chmod, realpath, rename, stat, unlink, writeFile } from "node:fs/promises";
import { describeError, ServiceError } from "#platform/errors.ts";

const readOnlyCodes = new Set(["EACCES", "EPERM", "EROFS"]);

/**
 * Replaces a policy's file at once and whole, with the rights that it has. A link is followed, so that what it points to is replaced.
 * @throws ServiceError CONFLICT where this process may not write it
 */
export async function writePolicyFile(path: string, text: string): Promise<void> {
  let temporary: string | null = null;
  try {
    const target = await realpath(path);
    const { mode } = await stat(target);
    temporary = `${target}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
    await writeFile(temporary, text, { flag: "wx", mode: 0o600 });
    await chmod(temporary, mode & 0o777);
    await rename(temporary, target);
  } catch (cause) {
    if (temporary !== null) await unlink(temporary).catch(() => undefined);
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const hint = readOnlyCodes.has(code) ? ": change it at its source" : "";
    throw new ServiceError("CONFLICT", `the policy file ${path} can't be written (${describeError(cause)})${hint}`, {
      cause,
    });
  }
}
