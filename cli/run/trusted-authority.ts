import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { openFault } from "#platform/files/read-secret-file.ts";
import { type CommandOption, type OptionValues, optionalString } from "#platform/terminal/command.ts";

const variable = "THORMESH_CA_FILE";

/** Option of the commands that ask a server which may encrypt. */
export const authorityOption = {
  ca: {
    value: "FILE",
    help: `PEM certificate of the authority to trust for https instead of the public ones; or ${variable}`,
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

function readAuthority(path: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (cause) {
    throw new UsageError(`${what}: ${path} can't be read: ${openFault(cause)}`, { cause });
  }
  try {
    return new X509Certificate(text) && text;
  } catch (cause) {
    throw new UsageError(`${what}: expected a certificate in PEM (-----BEGIN CERTIFICATE-----), got none in ${path}`, {
      cause,
    });
  }
}

/** Certificate of a controller's authority that this user runs, or ran, on this machine; null: none. */
function ownAuthority(): string | null {
  const path = join(defaultStateDir("controller", process.env), "ca.pem");
  try {
    return existsSync(path) ? readAuthority(path, "ca.pem") : null;
  } catch {
    return null;
  }
}

/**
 * Returns the authorities that a command trusts: the one that is named; else the public ones, and that of this user's controller.
 * @throws UsageError when the named file holds no certificate.
 */
export function trustedAuthorities(values: OptionValues): { readonly tls?: { readonly ca: string[] } } {
  const option = optionalString(values, "ca");
  const path = option ?? (process.env[variable] || undefined);
  if (path !== undefined) return { tls: { ca: [readAuthority(path, option === undefined ? variable : "--ca")] } };
  const own = ownAuthority();
  return own === null ? {} : { tls: { ca: [own, ...rootCertificates] } };
}
