import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commands } from "#cli/commands.ts";

const deploy = join(import.meta.dir, "..", "..", "deploy");
const readUnit = (name: string) => readFileSync(join(deploy, `${name}.service`), "utf8");

/** The settings of a unit, comments left out. */
function settings(unit: string): Map<string, string> {
  const lines = unit.split("\n").flatMap((line) => {
    const match = /^(\w+)=(.*)$/.exec(line);
    return match === null ? [] : [[match[1] as string, match[2] as string] as const];
  });
  return new Map(lines);
}

/** What makes systemd forbid setuid programs such as sudo to a service with User= (systemd.exec(5), NoNewPrivileges=). */
const forbidsSudo = [
  ..."DynamicUser LockPersonality MemoryDenyWriteExecute PrivateDevices ProtectClock ProtectHostname ProtectKernelLogs".split(
    " ",
  ),
  ..."ProtectKernelModules ProtectKernelTunables RestrictAddressFamilies RestrictNamespaces RestrictRealtime".split(
    " ",
  ),
  ..."RestrictSUIDSGID SystemCallArchitectures SystemCallFilter SystemCallLog NoNewPrivileges RestrictFileSystems".split(
    " ",
  ),
];

describe.each(["agent", "controller"])("thormesh-%s.service", (program) => {
  const unit = settings(readUnit(`thormesh-${program}`));

  test("starts a command that exists, as a user of its own, with its directories", () => {
    const [executable, command] = (unit.get("ExecStart") ?? "").split(" ");
    expect(executable).toBe("/usr/local/bin/thormesh");
    expect(command).toBe(program);
    expect(Object.keys(commands)).toContain(program);
    expect(unit.get("User")).toBe("thormesh");
    expect(unit.get("StateDirectory")).toBe("thormesh");
    expect(unit.get("CacheDirectory")).toBe("thormesh");
    expect(unit.get("EnvironmentFile")).toBe("-/etc/default/thormesh");
  });

  test("comes back however often it fails", () => {
    expect(unit.get("Restart")).toBe("on-failure");
    expect(unit.get("StartLimitIntervalSec")).toBe("0");
  });

  test("leaves the JIT compiler on", () => {
    expect(unit.has("MemoryDenyWriteExecute")).toBe(false);
  });

  test.if(Bun.which("systemd-analyze") !== null)("systemd understands it", () => {
    const directory = mkdtempSync(join(tmpdir(), "thormesh-units-"));
    try {
      const path = join(directory, `thormesh-${program}.service`);
      // The executable must exist for systemd to be content.
      writeFileSync(path, readUnit(`thormesh-${program}`).replace("/usr/local/bin/thormesh", process.execPath));
      const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", path]);
      expect({ exitCode, complaints: stderr.toString() }).toEqual({ exitCode: 0, complaints: "" });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

test("the agent may run sudo nvpmodel", () => {
  const unit = settings(readUnit("thormesh-agent"));
  expect(forbidsSudo.filter((name) => unit.has(name))).toEqual([]);
  // It keeps its state below /var/lib.
  expect(unit.get("ProtectSystem")).toBe("full");
  expect(unit.has("CapabilityBoundingSet")).toBe(false);
});
