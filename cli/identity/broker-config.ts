import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { mosquittoAcl, mosquittoConfig } from "#controller/broker/tls/mosquitto-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { authorityFiles, openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import { type OptionValues, optionalString, requiredOption, unexpectedWord } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { dayMs } from "#platform/time.ts";
import { withControllerStore } from "../access/with-controller-store.ts";
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
  throw new UsageError(`--host: expected names or addresses of the broker with commas between, got "${wrong}"`);
}

/** Writes what an external broker needs to know the fleet's devices by their certificates, and to give each its own rights. */
export async function writeBrokerConfig(values: OptionValues, words: readonly string[]): Promise<number> {
  if (words.length !== 1 || words[0] !== "mosquitto")
    throw unexpectedWord("mosquitto", words.join(" ") || undefined, ["mosquitto"]);
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
  const revoked = devices.filter(({ state }) => state === "revoked").map(({ agentId }) => agentId);
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  const { key, cert } = await authority.issueBroker(certificateMs, hosts);
  const files = {
    authority: join(directory, "ca.pem"),
    certificate: join(directory, "server.pem"),
    key: join(directory, "server.key"),
    acl: join(directory, "acl"),
  };
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeSecretFile(files.key, key);
  const open = (file: string, text: string) => {
    writeFileSync(file, text);
    // The broker reads them as another user.
    chmodSync(file, 0o644);
  };
  open(files.authority, certificateToPem(authority.certificate));
  open(files.certificate, cert);
  open(files.acl, mosquittoAcl(fleet, revoked));
  open(join(directory, "thormesh.conf"), mosquittoConfig(files, port));
  printLine(
    [
      `wrote ${join(directory, "thormesh.conf")} and the files that it names; the broker's certificate lasts two years`,
      ...(revoked.length === 0 ? [] : [`shut out, once Mosquitto has read it again (SIGHUP): ${revoked.join(", ")}`]),
      `1. let the broker read its key: chown mosquitto ${files.key}`,
      `2. put "include_dir ${directory}" into mosquitto.conf, or start: mosquitto -c ${join(directory, "thormesh.conf")}`,
      `3. controller: broker.url: mqtts://${hosts[0]}:${port}; devices that join learn it from there`,
    ].join("\n"),
  );
  return 0;
}
