import { X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { AuditLog } from "#controller/audit/audit-log.ts";
import { certificatePaths } from "#controller/broker/tls/certificate-files.ts";
import { externalBrokerFiles, externalBrokers } from "#controller/broker/tls/external-broker.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { authorityFiles, openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import { createLogger } from "#platform/log.ts";
import { type OptionValues, optionalString, requiredOption, unexpectedWord } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { dayMs } from "#platform/time.ts";
import { localSource, withControllerStore } from "../access/with-controller-store.ts";
import { mergeConfig } from "../run/merge-config.ts";
import { readInput } from "../run/read-input.ts";

/** Life of the broker's certificate, which nobody renews by itself. */
const certificateMs = 730 * dayMs;
const port = 8883;
const hostForm = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

function hostsOf(text: string): string[] {
  const hosts = text.split(",").map((host) => host.trim());
  const wrong = hosts.find((host) => isIP(host) === 0 && !hostForm.test(host));
  if (wrong === undefined) return hosts;
  throw new UsageError(`--host: expected the broker's names or addresses, separated by commas, got "${wrong}"`);
}

/**
 * True when the broker's certificate of an earlier run serves for another year at least: its key may belong to the broker's user by now, who
 * could not read another one.
 */
function isKept(paths: ReturnType<typeof certificatePaths>, authority: string, hosts: readonly string[]): boolean {
  if (!existsSync(paths.key) || !existsSync(paths.certificate)) return false;
  try {
    const certificate = new X509Certificate(readFileSync(paths.certificate));
    const names = hosts.map((host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)));
    const isOfAuthority = certificate.verify(new X509Certificate(Buffer.from(authority, "base64")).publicKey);
    return (
      isOfAuthority && certificate.validToDate.getTime() - Date.now() > certificateMs / 2 && !names.includes(undefined)
    );
  } catch {
    return false;
  }
}

/** Writes what an external broker needs to know the fleet's devices by their certificates, and to give each its own rights. */
export async function writeBrokerConfig(values: OptionValues, words: readonly string[]): Promise<number> {
  const kind = externalBrokers.find((known) => known === words[0]);
  if (kind === undefined || words.length !== 1)
    throw unexpectedWord("mosquitto, emqx or nats", words.join(" ") || undefined, externalBrokers);
  const directory = resolve(requiredOption(values, "dir"));
  const hosts = hostsOf(requiredOption(values, "host"));
  const path = optionalString(values, "config");
  const { input, source } = await readInput("controller", path, process.env);
  const { fleet, stateDir: configured } = parseControllerConfig(
    mergeConfig(input, {
      fleet: optionalString(values, "fleet"),
      stateDir: optionalString(values, "state-dir"),
    }),
    source,
  );
  const stateDir = configured ?? defaultStateDir("controller", process.env);
  if (!existsSync(join(stateDir, authorityFiles.key)))
    throw new UsageError(
      `${join(stateDir, authorityFiles.key)} does not exist: start the controller once, or give its state directory with --state-dir or --config`,
    );
  const devices = await withControllerStore(values, (store) => store.loadDevices());
  const idsOf = (wanted: string) => devices.filter(({ state }) => state === wanted).map(({ agentId }) => agentId);
  const revoked = idsOf("revoked");
  const { files, steps } = externalBrokerFiles(kind, { fleet, directory, port, joined: idsOf("joined"), revoked });
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  const paths = certificatePaths(directory);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const open = (file: string, text: string) => {
    writeFileSync(file, text);
    // The broker reads them as another user.
    chmodSync(file, 0o644);
  };
  open(paths.authority, certificateToPem(authority.certificate));
  if (!isKept(paths, authority.certificate, hosts)) {
    const { key, cert } = await withControllerStore(values, (store) => {
      const audit = new AuditLog({ store, nowMs: Date.now, log: createLogger("broker-config", "warn") });
      const change = { action: "authority.issue-broker", target: hosts.join(","), before: null };
      const until = { notAfter: new Date(Date.now() + certificateMs).toISOString().slice(0, 10) };
      const issue = () => authority.issueBroker(certificateMs, hosts);
      return audit.change(localSource(values), change, issue, () => until);
    });
    writeSecretFile(paths.key, key);
    open(paths.certificate, cert);
  }
  for (const [name, text] of files) open(join(directory, name), text);
  const last = `controller: broker.url: mqtts://${hosts[0]}:${port}; devices that join learn it from there`;
  printLine(
    [
      `wrote ${[...files.keys()].map((name) => join(directory, name)).join(", ")} and certificates; the broker's own lasts two years`,
      ...(revoked.length === 0 ? [] : [`refused once the broker has reloaded its rules: ${revoked.join(", ")}`]),
      ...[...steps, last].map((step, index) => `${index + 1}. ${step}`),
    ].join("\n"),
  );
  return 0;
}
