import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { modeSetter } from "#agent/power/device/jetson-control.ts";
import { askPowerHelper } from "#agent/power/device/set-mode/ask-power-helper.ts";
import { JetsonConfig } from "#agent/power/power-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { programCommand, temporaryDirectory } from "../../../../e2e/program.ts";
import { createFakeBoard } from "../../../../fakes/jetson/board.ts";

let board: ReturnType<typeof createFakeBoard>;
beforeEach(() => {
  board = createFakeBoard();
});
afterEach(() => board.dispose());

/** Waits for a condition, and fails with its name. */
async function until(name: string, holds: () => boolean, limitMs = 240_000): Promise<void> {
  for (const startedMs = performance.now(); !holds(); await Bun.sleep(20))
    if (performance.now() - startedMs > limitMs) throw new Error(`waited in vain until ${name}`);
}

describe("how modes are set", () => {
  const directory = temporaryDirectory();
  const there = join(directory.path, "there");
  afterEach(() => directory.remove());
  test("by what is configured, else by nvpmodel as root, else through the helper that is there", async () => {
    await Bun.write(there, "");
    const config = (change: object) => parseConfig(JetsonConfig, { nvpmodel: ["/x/nvpmodel"], ...change }, "test");
    const set = { nvpmodelSet: ["sudo", "-n", "nvpmodel"], helperSocket: there };
    expect(modeSetter(config(set), false)).toEqual({ kind: "command", command: set.nvpmodelSet });
    expect(modeSetter(config({ helperSocket: there }), true)).toEqual({ kind: "command", command: ["/x/nvpmodel"] });
    expect(modeSetter(config({ helperSocket: there }), false)).toEqual({ kind: "helper", socketPath: there });
    expect(modeSetter(config({ helperSocket: "/nowhere" }), false)).toEqual({
      kind: "command",
      command: ["/x/nvpmodel"],
    });
  });
});

describe("a helper that misbehaves is reported, not believed", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  async function helper(onConnection: (socket: Socket) => void): Promise<string> {
    const path = join(board.directory, "socket");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      onConnection(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  test.each([
    ["is not there", null, "ENOENT"],
    ["says nothing", () => {}, "did not answer within 400 ms"],
    ["closes without a word", (socket: Socket) => socket.end(), "it was busy for 400 ms"],
    ["answers nonsense", (socket: Socket) => socket.end("yes\n"), 'it answered "yes"'],
    ["answers another kind", (socket: Socket) => socket.end('{"kind":"ready"}\n'), "it answered"],
    ["talks without end", (socket: Socket) => socket.write("x".repeat(100_000)), "its answer is too long"],
  ] as const)("%s", async (_, behaviour, reason) => {
    const path = behaviour === null ? join(board.directory, "none") : await helper(behaviour);
    expect(await askPowerHelper(path, 1, 400)).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining(reason),
    });
  });

  test("one that is busy at first is asked again", async () => {
    let connections = 0;
    const path = await helper((socket) => {
      connections += 1;
      if (connections < 3) socket.destroy();
      else socket.end('{"kind":"set"}\n');
    });
    expect(await askPowerHelper(path, 1, 10_000)).toEqual({ kind: "set" });
  });
});

// systemd's own tool does for a socket what the socket unit does.
describe.if(Bun.which("systemd-socket-activate") !== null)("the program behind a socket, as systemd starts it", () => {
  let systemd: Bun.Subprocess;
  let path: string;
  beforeEach(async () => {
    path = join(board.directory, "socket");
    const helper = ["power-helper", "--conf", board.config.confPath, "--nvpmodel", board.executable("nvpmodel")];
    systemd = Bun.spawn(
      ["systemd-socket-activate", `--listen=${path}`, "--accept", "--inetd", ...programCommand, ...helper],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    await until("the socket is there", () => existsSync(path));
  });
  afterEach(async () => {
    systemd.kill();
    await systemd.exited;
  });

  test("sets a mode of the list, refuses others, and never reboots", async () => {
    board.write("reboot-modes", "2\n");
    expect(await askPowerHelper(path, 3, 20_000)).toEqual({ kind: "set" });
    expect(board.read("mode").trim()).toBe("3");
    expect(await askPowerHelper(path, 77, 20_000)).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("mode 77 is not in"),
    });
    expect(await askPowerHelper(path, 2, 20_000)).toMatchObject({ kind: "reboot-required" });
    expect(board.read("rebooted")).toBe("");
    expect(board.calls()).toEqual(["-m 3", "-m 2"]);
  });

  test("hostile clients get a refusal, and the next one is served", async () => {
    const say = (text: string) =>
      new Promise<string>((resolve) => {
        let answer = "";
        const socket = connect({ path }, () => socket.write(text));
        socket.on("data", (part) => {
          answer += part.toString();
          if (answer.includes("\n")) socket.destroy();
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve(answer));
      });
    const answers = await Promise.all(["1 -f /tmp/evil.conf\n", "x".repeat(1 << 20), "0\n-f\n", ""].map(say));
    for (const answer of answers) expect(answer === "" || JSON.parse(answer).kind === "failed").toBe(true);
    expect(board.calls()).toEqual([""]);
    expect(await askPowerHelper(path, 0, 30_000)).toEqual({ kind: "set" });
    expect(board.calls()).toEqual(["-m 0"]);
  });
});
