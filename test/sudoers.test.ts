import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rules = readFileSync(join(import.meta.dir, "../deploy/thormesh-power.sudoers"), "utf8");
const inForce = rules.replaceAll(/^#.*$/gm, "");
const namespaceWorks = process.getuid?.() === 0 && Bun.spawnSync(["unshare", "--mount", "true"]).exitCode === 0;
const isTried = namespaceWorks && Bun.which("sudo") !== null && Bun.which("visudo") !== null;

test("every rule names one command with the id of one mode, without a wildcard", () => {
  const commands = inForce.match(/\/usr\/sbin\/[^,\\\n]+/g) ?? [];
  expect(commands.length).toBeGreaterThan(3);
  for (const command of commands) expect(command.trim()).toMatch(/^\/usr\/sbin\/nvpmodel -m \d$/);
  expect(inForce).not.toMatch(/[*?[\]^!]|SETENV|\bALL\b(?!=\(root\))/);
});

describe("as sudo reads it", () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "thormesh-sudoers-"));
    for (const name of ["sbin", "sudoers.d"]) mkdirSync(join(directory, name), { mode: 0o755 });
    writeFileSync(join(directory, "sbin/nvpmodel"), "#!/bin/sh\n", { mode: 0o755 });
    // A user that is there on every machine.
    const path = join(directory, "sudoers.d/thormesh");
    writeFileSync(path, rules.replace(/^thormesh-agent\b/m, "nobody"));
    chmodSync(path, 0o440);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.if(isTried)("visudo takes it", () => {
    const checked = Bun.spawnSync(["visudo", "-cf", join(directory, "sudoers.d/thormesh")]);
    expect([checked.exitCode, checked.stderr.toString()]).toEqual([0, ""]);
  });

  test.if(isTried).each([
    ["-m 0", true],
    ["-m 3", true],
    ["-m 9", true],
    ["-m", false],
    ["-m 10", false],
    ["-m 03", false],
    ["-m *", false],
    ["-m 0 0", false],
    ["-m 0 -f /tmp/x", false],
    ["-f /tmp/x", false],
    ["-f /tmp/x -m 0", false],
    ["-q", false],
    ["", false],
  ])("nvpmodel %p is allowed: %p", (options, allowed) => {
    // In a mount namespace of its own: the machine's rules stay as they are.
    const script =
      'mount --bind "$0/sbin" /usr/sbin && mount --bind "$0/sudoers.d" /etc/sudoers.d && exec sudo -n -l -U nobody /usr/sbin/nvpmodel "$@"';
    const words = options === "" ? [] : options.split(" ");
    const asked = Bun.spawnSync(["unshare", "--mount", "bash", "-c", script, directory, ...words]);
    expect(asked.exitCode === 0).toBe(allowed);
  });
});
