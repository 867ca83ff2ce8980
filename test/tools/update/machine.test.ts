import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionsAround } from "#platform/process/own-installation.ts";
import { preflight } from "#tools/update/preflight.ts";
import { refusePackage } from "#tools/update/refuse-package.ts";
import { restartServices, runningServices } from "#tools/update/service-control.ts";
import { placeOf, type UpdateConfig, type UpdatedService } from "#tools/update/update-config.ts";
import { eventually, temporaryDirectory } from "../../e2e/program.ts";
import { tinyProgram } from "../../fakes/releases.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

describe("the place of an installation", () => {
  test.each([
    ["/usr/local/lib/thormesh/versions/0.1.0/thormesh", "/usr/local/lib/thormesh"],
    ["/opt/lib/thormesh/versions/0.2.0-rc.1/thormesh", "/opt/lib/thormesh"],
    ["/usr/bin/thormesh", null],
    ["/media/thormesh-linux-x64", null],
    ["/srv/dist/bun", null],
  ])("%s lies in %p", (executable, expected) => {
    expect(versionsAround(executable)).toBe(expected);
  });

  test.each([
    ["/opt/lib/thormesh", { prefix: "/opt/lib/thormesh", link: "/opt/bin/thormesh" }],
    ["/srv/versions", { prefix: "/srv/versions" }],
  ])("beside %s its link is kept where an installer makes one", (prefix, expected) => {
    expect<object>(placeOf(prefix, true)).toEqual(expected);
    expect<object>(placeOf(prefix, false)).toEqual({ prefix });
  });
});

describe("a program that a Debian package brought", () => {
  const list = () => join(directory.path, "thormesh.list");

  test("is not updated, and the right command is named", () => {
    writeFileSync(list(), "/.\n/usr/bin\n/usr/bin/thormesh\n/etc/thormesh/agent.yaml\n");
    expect(() => refusePackage("/usr/bin/thormesh", list())).toThrow(
      /came with the Debian package thormesh, .*apt install --allow-downgrades \.\/thormesh_VERSION_(amd64|arm64)\.deb/,
    );
  });

  test("one beside it, or after the package was removed, is", () => {
    writeFileSync(list(), "/etc/thormesh/agent.yaml\n");
    expect(() => refusePackage("/usr/bin/thormesh", list())).not.toThrow();
    writeFileSync(list(), "/usr/bin/thormesh\n");
    expect(() => refusePackage("/usr/local/lib/thormesh/versions/0.1.0/thormesh", list())).not.toThrow();
    expect(() => refusePackage("/usr/bin/thormesh", "/nowhere")).not.toThrow();
  });
});

describe.if(process.geteuid?.() === 0)("root's trial of a version", () => {
  test("is made as the owner of the agent's state, whose cache it can write", async () => {
    const [state, config, program] = ["state", "agent.yaml", "program"].map((name) => join(directory.path, name)) as [
      ...[string, string, string],
    ];
    mkdirSync(state);
    chownSync(state, 65_534, 65_534);
    chmodSync(directory.path, 0o755);
    writeFileSync(config, `stateDir: ${state}\n`);
    const doctor = `mkdir -p "$CACHE_DIRECTORY" && id -u >"$CACHE_DIRECTORY/user" && echo "$HOME" >"$CACHE_DIRECTORY/home"`;
    writeFileSync(program, tinyProgram("0.2.0", `case "$1" in doctor) ${doctor} || exit 1 ;; esac`));
    chmodSync(program, 0o755);
    await preflight({ next: program, present: null }, "0.2.0", [{ kind: "agent", config, unit: null, url: null }]);
    const noted = (name: string) => readFileSync(join(state, ".cache/thormesh", name), "utf8").trim();
    expect([noted("user"), noted("home")]).toEqual(["65534", state]);
  });
});

describe("without systemd", () => {
  const service: UpdatedService = { kind: "agent", config: null, unit: "thormesh-agent.service", url: null };
  const config = { services: [service], restartCommand: null } as unknown as UpdateConfig;
  const places = () => ({ systemd: join(directory.path, "no-systemd"), run: directory.path });
  const noted = () => join(directory.path, "thormesh-agent.run");

  test("what the installer's script keeps running is found, and told to start it anew", async () => {
    const [script, mark] = [join(directory.path, "run-agent"), join(directory.path, "again")];
    writeFileSync(script, `#!/bin/sh\ntrap ': >${mark}' USR1\necho $$ >${noted()}\nwhile :; do sleep 0.05; done\n`);
    chmodSync(script, 0o755);
    expect(await runningServices(config, places())).toEqual([]);
    const runner = Bun.spawn([script], { stdout: "ignore", stderr: "ignore" });
    try {
      const found = await eventually(
        () => runningServices(config, places()),
        (running) => running.length > 0,
      );
      expect(found).toEqual([service]);
      await restartServices(config, found, places());
      await eventually(
        async () => existsSync(mark),
        (is) => is,
      );
    } finally {
      runner.kill("SIGKILL");
      await runner.exited;
    }
    expect(await runningServices(config, places())).toEqual([]);
  });

  test.each(["", "none", "999999999", String(process.pid)])("a note that says %p is of no service", async (text) => {
    mkdirSync(directory.path, { recursive: true });
    writeFileSync(noted(), text);
    expect(await runningServices(config, places())).toEqual([]);
  });
});
