import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commands } from "#cli/run/commands.ts";

const deploy = join(import.meta.dir, "..", "..", "deploy");
const readUnit = (file: string) => readFileSync(join(deploy, file), "utf8");
const services = readdirSync(deploy)
  .filter((file) => file.endsWith(".service"))
  .sort();
const everyUnit = readdirSync(deploy).filter((file) => /\.(service|socket|path)$/.test(file));
const hasSystemd = Bun.which("systemd-analyze") !== null;
/** As systemd scores it: 0 is shut in completely, 10 not at all. */
const maxExposure = 2;

/** The settings of a unit, comments left out; one that stands several times has its values joined. */
function settings(unit: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of unit.split("\n")) {
    const match = /^(\w+)=(.*)$/.exec(line);
    if (match === null) continue;
    const [, name = "", value = ""] = match;
    found.set(name, found.has(name) ? `${found.get(name)} ${value}` : value);
  }
  return found;
}

test("there are units to look at", () => {
  expect(services).toEqual([
    "thormesh-agent.service",
    "thormesh-controller.service",
    "thormesh-power@.service",
    "thormesh-update-resume.service",
    "thormesh-update.service",
  ]);
});

describe.each(services)("%s", (file) => {
  const unit = settings(readUnit(file));

  test("starts a command that exists", () => {
    const [executable, command = ""] = (unit.get("ExecStart") ?? "").split(" ");
    // What ends an update may not depend on the version that is in force.
    if (file === "thormesh-update-resume.service")
      expect([executable, command]).toEqual(["/usr/local/lib/thormesh/boot-check", "--resume"]);
    else {
      expect(executable).toBe("/usr/local/bin/thormesh");
      expect(Object.keys(commands)).toContain(command);
    }
  });

  test("nothing in it gains rights", () => {
    expect(unit.get("NoNewPrivileges")).toBe("yes");
    expect(unit.get("ProtectSystem")).toBe("strict");
    expect(unit.get("RestrictSUIDSGID")).toBe("yes");
    expect(unit.get("RestrictNamespaces")).toBe("yes");
    expect(unit.get("SystemCallFilter")).toStartWith("@system-service ~@privileged");
  });

  test("leaves the JIT compiler on", () => {
    expect(unit.has("MemoryDenyWriteExecute")).toBe(false);
  });

  test.if(hasSystemd)(`systemd gives it no more than ${maxExposure.toFixed(1)}`, () => {
    const { stdout } = Bun.spawnSync([
      "systemd-analyze",
      "security",
      "--offline=true",
      "--no-pager",
      join(deploy, file),
    ]);
    const level = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout.toString())?.[1];
    expect(Number(level)).toBeLessThanOrEqual(maxExposure);
  });
});

describe.each(["agent", "controller"])("thormesh-%s.service", (program) => {
  const name = `thormesh-${program}`;
  const unit = settings(readUnit(`${name}.service`));

  test("has a user, an environment file and directories of its own, closed to others", () => {
    expect(unit.get("User")).toBe(name);
    expect(unit.get("Group")).toBe(name);
    expect(unit.get("EnvironmentFile")).toBe(`-/etc/default/${name}`);
    expect(unit.get("StateDirectory")).toBe(name);
    expect(unit.get("StateDirectoryMode")).toBe("0700");
    expect(unit.get("CacheDirectory")).toBe(name);
    expect(unit.get("CacheDirectoryMode")).toBe("0700");
    expect(unit.get("UMask")).toBe("0077");
    expect(unit.get("CapabilityBoundingSet")).toBe("");
  });

  test("comes back however often it fails", () => {
    expect(unit.get("Restart")).toBe("on-failure");
    expect(unit.get("StartLimitIntervalSec")).toBe("0");
  });
});

test("the agent's training may lower its priority, and its GPU is not hidden", () => {
  const unit = settings(readUnit("thormesh-agent.service"));
  expect(unit.get("SystemCallFilter")).not.toContain("@resources");
  expect(unit.has("PrivateDevices")).toBe(false);
  expect(unit.get("DevicePolicy")).toBe("closed");
  expect(unit.get("DeviceAllow")).toContain("/dev/nvmap rw");
  // It reads the board's name and memory there.
  expect(unit.has("ProcSubset")).toBe(false);
});

test("only the agent's user reaches the power helper, one connection at a time", () => {
  const socket = settings(readUnit("thormesh-power.socket"));
  expect(socket.get("SocketUser")).toBe("root");
  expect(socket.get("SocketGroup")).toBe(settings(readUnit("thormesh-agent.service")).get("Group"));
  expect(socket.get("SocketMode")).toBe("0660");
  expect(socket.get("Accept")).toBe("yes");
  expect(socket.get("MaxConnections")).toBe("1");
  const helper = settings(readUnit("thormesh-power@.service"));
  expect(helper.get("StandardInput")).toBe("socket");
  expect(helper.has("EnvironmentFile")).toBe(false);
  expect(helper.get("PrivateNetwork")).toBe("yes");
  // nvpmodel's own state is read by everybody's nvpmodel -q.
  expect(helper.get("UMask")).toBe("0022");
});

test("an order of the fleet reaches the updater, which has root's files and no right of root's but to try a version as the agent's user", () => {
  const agent = settings(readUnit("thormesh-agent.service"));
  const path = settings(readUnit("thormesh-update.path")).get("PathChanged") ?? "";
  const update = settings(readUnit("thormesh-update.service"));
  expect(path).toBe(`/run/${agent.get("RuntimeDirectory")}/update-order.json`);
  expect(update.get("ExecStart")).toEndWith(`update --order ${path}`);
  expect(update.has("User")).toBe(false);
  expect(update.get("CapabilityBoundingSet")).toBe("CAP_SETUID CAP_SETGID");
  expect(update.get("ReadWritePaths")).toContain(
    `-/var/lib/${agent.get("StateDirectory")} -/var/cache/${agent.get("CacheDirectory")}`,
  );
  for (const program of ["agent", "controller"])
    expect(settings(readUnit(`thormesh-${program}.service`)).get("ExecStartPre")).toStartWith(
      `-+/usr/local/lib/thormesh/boot-check ${program}`,
    );
});

test("after a power cut an update is ended once the services have started, with no more rights than an update has", () => {
  const resume = settings(readUnit("thormesh-update-resume.service"));
  expect(resume.get("After")).toContain("thormesh-agent.service thormesh-controller.service");
  expect(resume.get("WantedBy")).toBe("multi-user.target");
  const ofItsOwn = ["Description", "Wants", "After", "ConditionPathExists", "ExecStart", "TimeoutStartSec", "WantedBy"];
  const others = (unit: Map<string, string>) => [...unit].filter(([name]) => !ofItsOwn.includes(name)).sort();
  expect(others(resume)).toEqual(others(settings(readUnit("thormesh-update.service"))));
});

test.if(hasSystemd)("systemd understands them all", () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-units-"));
  try {
    const paths = everyUnit.map((file) => {
      const path = join(directory, file);
      // The executable must exist for systemd to be content.
      writeFileSync(path, readUnit(file).replace(/(?<=^ExecStart=)\S+/m, process.execPath));
      return path;
    });
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", ...paths]);
    expect({ exitCode, complaints: stderr.toString() }).toEqual({ exitCode: 0, complaints: "" });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
