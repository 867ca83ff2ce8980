import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noUpdates, type UpdateState, writeUpdateState } from "#tools/update/update-state.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import { installVersion } from "../../fakes/releases.ts";

const script = join(import.meta.dir, "../../../deploy/boot-check");
const shells: readonly (readonly string[])[] = [["dash"], ["busybox", "sh"], ["bash", "--posix"]].filter(
  ([name]) => Bun.which(name as string) !== null,
);

let directory: ReturnType<typeof temporaryDirectory>;
let prefix: string;

beforeEach(() => {
  directory = temporaryDirectory();
  prefix = directory.path;
  installVersion(prefix, "0.1.0");
  rmSync(join(prefix, "current"));
  installVersion(prefix, "0.2.0");
});
afterEach(() => directory.remove());

const say = (state: UpdateState["state"]) => {
  writeUpdateState(prefix, { ...noUpdates, state, version: "0.2.0", previous: "0.1.0" });
};
const current = () => readlinkSync(join(prefix, "current"));

function start(shell: readonly string[], service = "agent"): string {
  const { exitCode, stderr } = Bun.spawnSync([...shell, script, service, prefix], {
    env: { PATH: process.env["PATH"] ?? "" },
  });
  expect(exitCode).toBe(0);
  return stderr.toString();
}

test("there is a small shell to try it with", () => expect(shells.length).toBeGreaterThan(0));

describe.each(shells)("the guard at boot, run by %s", (...words) => {
  const shell = words.filter((word) => typeof word === "string");

  test("goes back from a version on trial at its fourth start, not before", () => {
    say("switched");
    for (let count = 1; count <= 3; count += 1) {
      expect(start(shell)).toBe("");
      expect(current()).toBe("versions/0.2.0");
    }
    expect(start(shell)).toContain("back to 0.1.0");
    expect(current()).toBe("versions/0.1.0");
    expect(existsSync(join(prefix, "boot-returned-0.2.0"))).toBe(true);
    expect(start(shell)).toBe("");
    expect(current()).toBe("versions/0.1.0");
  });

  test("counts each service by itself", () => {
    say("switched");
    for (let count = 1; count <= 3; count += 1) for (const service of ["agent", "controller"]) start(shell, service);
    expect(current()).toBe("versions/0.2.0");
    start(shell, "controller");
    expect(current()).toBe("versions/0.1.0");
  });

  test.each(["healthy", "idle"] as const)("leaves a version that is %s alone", (state) => {
    say(state);
    for (let count = 1; count <= 5; count += 1) expect(start(shell)).toBe("");
    expect(current()).toBe("versions/0.2.0");
  });

  test("ends a return that was cut short", () => {
    say("returning");
    start(shell);
    expect(current()).toBe("versions/0.1.0");
  });

  test("starts of another version don't count", () => {
    say("switched");
    Bun.spawnSync(["sh", "-c", `echo '0.1.9 3' > ${prefix}/boot-attempts-agent`]);
    start(shell);
    expect(current()).toBe("versions/0.2.0");
    expect(readFileSync(join(prefix, "boot-attempts-agent"), "utf8")).toBe("0.2.0 1\n");
  });

  test.each(["", "x y\n", "0.2.0 many\n", "0.2.0 -1\n", "0.2.0\n"])("a count that says %p is none", (text) => {
    say("switched");
    Bun.spawnSync(["sh", "-c", `printf '%s' "$1" > ${prefix}/boot-attempts-agent`, "sh", text]);
    start(shell);
    expect(readFileSync(join(prefix, "boot-attempts-agent"), "utf8")).toBe("0.2.0 1\n");
  });

  test("goes to the version before where the link leads nowhere", () => {
    say("switched");
    rmSync(join(prefix, "versions/0.2.0"), { recursive: true });
    start(shell);
    expect(current()).toBe("versions/0.1.0");
  });

  test("goes to the version before where there is no link", () => {
    say("healthy");
    rmSync(join(prefix, "current"));
    start(shell);
    expect(current()).toBe("versions/0.1.0");
  });

  test("goes to the newer one where the version before is gone", () => {
    say("healthy");
    rmSync(join(prefix, "versions/0.1.0"), { recursive: true });
    rmSync(join(prefix, "current"));
    start(shell);
    expect(current()).toBe("versions/0.2.0");
  });

  test("stays where there is nothing to go back to", () => {
    say("switched");
    rmSync(join(prefix, "versions/0.1.0"), { recursive: true });
    for (let count = 1; count <= 5; count += 1) start(shell);
    expect(current()).toBe("versions/0.2.0");
  });

  test("never goes to a file that can't be run", () => {
    say("returning");
    chmodSync(join(prefix, "versions/0.1.0/thormesh"), 0o644);
    start(shell);
    expect(current()).toBe("versions/0.2.0");
  });

  test.each(["", "{", '{"version": "../../bin", "previous": "0.1.0"}', "\0\0"])(
    "a state that says %p changes nothing",
    async (text) => {
      await Bun.write(join(prefix, "update.json"), text);
      start(shell);
      expect(current()).toBe("versions/0.2.0");
    },
  );

  /** Makes each version tell what it is run with. */
  const tell = () => {
    for (const version of ["0.1.0", "0.2.0"])
      writeFileSync(join(prefix, "versions", version, "thormesh"), `#!/bin/sh\necho "${version}: $*"\n`);
  };
  const resume = () => Bun.spawnSync([...shell, script, "--resume", prefix]);

  test.each(["switched", "returning"] as const)(
    "after a power cut the version before ends an update that is %s, and none is started",
    (state) => {
      say(state);
      tell();
      const { exitCode, stdout } = resume();
      expect([exitCode, stdout.toString()]).toEqual([0, `0.1.0: update --resume --prefix ${prefix}\n`]);
      expect(current()).toBe("versions/0.2.0");
      expect(existsSync(join(prefix, "boot-attempts---resume"))).toBe(false);
    },
  );

  test("without the version before, the one in force ends it; one that ends badly is heard of", () => {
    say("switched");
    tell();
    rmSync(join(prefix, "versions/0.1.0"), { recursive: true });
    expect(resume().stdout.toString()).toBe(`0.2.0: update --resume --prefix ${prefix}\n`);
    writeFileSync(join(prefix, "versions/0.2.0/thormesh"), "#!/bin/sh\nexit 1\n");
    expect(resume().exitCode).toBe(1);
  });

  test.each(["healthy", "idle", "returned"] as const)("an update that is %s needs no end", (state) => {
    say(state);
    tell();
    const { exitCode, stdout } = resume();
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
  });

  test("without a directory it lets the service start", () => {
    expect(Bun.spawnSync([...shell, script, "agent", join(prefix, "nothing")]).exitCode).toBe(0);
  });

  test("a link that leads to another place is not touched", () => {
    say("switched");
    rmSync(join(prefix, "current"));
    symlinkSync("versions/0.1.0", join(prefix, "current"));
    start(shell);
    expect(current()).toBe("versions/0.1.0");
    expect(existsSync(join(prefix, "boot-attempts-agent"))).toBe(false);
  });
});
