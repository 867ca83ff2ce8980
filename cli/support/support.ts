import { closeSync, existsSync, fchmodSync, openSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { UsageError } from "#platform/errors.ts";
import { openFault } from "#platform/files/read-secret-file.ts";
import { ownPrefix } from "#platform/process/own-installation.ts";
import { type Command, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import type { Program } from "../run/read-input.ts";
import { bundleParts, doctorOfThisProgram, type SupportMachine } from "./bundle-parts.ts";
import { likelyProgram, logPlaces } from "./log-source.ts";
import { collectBundle, packBundle } from "./pack-bundle.ts";
import { hiderOf, readServiceFacts } from "./service-facts.ts";

const programs: readonly Program[] = ["agent", "controller"];

/** Writes a new file that only this user can read. @throws UsageError when there is one already, or it can't be made */
function writeNewFile(path: string, bytes: Uint8Array): void {
  let file: number;
  try {
    // Nothing is followed or replaced: in /tmp it could be someone else's.
    file = openSync(path, "wx", 0o600);
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new UsageError(`--out: ${path} ${isThere ? "already exists" : `can't be made: ${openFault(cause)}`}`, {
      cause,
    });
  }
  try {
    fchmodSync(file, 0o600);
    writeFileSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** Services that a bundle is about: the one that is named, else those that are installed, else the likely one. */
function servicesAbout(word: string | undefined, path: string | undefined, machine: SupportMachine): Program[] {
  if (word !== undefined) return [word as Program];
  if (path !== undefined) return ["agent"];
  const installed = programs.filter((program) => existsSync(`${machine.configDir}/${program}.yaml`));
  return installed.length > 0 ? installed : [likelyProgram(machine)];
}

/** Command that packs a bundle; the machine is another one in tests. */
export const createSupportCommand = (machineOf: () => SupportMachine): Command => ({
  summary: "pack what a bug report needs into one file, without keys, passwords, tokens or user texts",
  usage: "[agent|controller] [--out FILE] [--config FILE]",
  examples: ["sudo thormesh support", "sudo thormesh support controller --out /tmp/report.tar.gz"],
  options: {
    out: { short: "o", value: "FILE", help: "file to make (default: thormesh-support-HOST-TIME.tar.gz here)" },
    config: { short: "c", value: "FILE", help: "configuration of the service (default: the installed one's)" },
  },
  async run(values, [word, ...more]) {
    if (word !== undefined && !programs.includes(word as Program))
      throw unexpectedWord("agent or controller", word, programs);
    if (more.length > 0) throw new UsageError(`support: expected nothing more, got "${more.join(" ")}"`);
    const machine = machineOf();
    const path = optionalString(values, "config");
    if (path !== undefined && !existsSync(path)) throw new UsageError(`--config: there is no file ${path}`);
    const stamp = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
    const name = `thormesh-support-${hostname().replaceAll(/[^\w.-]/g, "_")}-${stamp}`;
    const out = optionalString(values, "out") ?? `${name}.tar.gz`;
    if (existsSync(out)) throw new UsageError(`--out: ${out} already exists`);
    const services = await Promise.all(
      servicesAbout(word, path, machine).map((program) => {
        const installed = `${machine.configDir}/${program}.yaml`;
        return readServiceFacts(program, path ?? (existsSync(installed) ? installed : undefined), process.env);
      }),
    );
    const { files, contents } = await collectBundle(bundleParts(services, machine), hiderOf(services));
    writeNewFile(out, await packBundle(files, name));
    printLine(`${contents}\n\n${out} is ready, and only you can read it. Look through it before you send it:`);
    printLine(`  tar -xOzf ${out} | less`);
    return 0;
  },
});

export const supportCommand: Command = createSupportCommand(() => ({
  ...logPlaces,
  systemctl: "systemctl",
  versionsDir: ownPrefix(),
  doctor: doctorOfThisProgram(),
}));
