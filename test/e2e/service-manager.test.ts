import { expect, test } from "bun:test";
import { join } from "node:path";
import { receiveDatagrams } from "../fakes/datagram-receiver.ts";
import { eventually, startProgram, temporaryDirectory } from "./program.ts";

const commands = {
  agent: ["--grpc", "off", "--board", "none", "--broker", "mqtt://127.0.0.1:1"],
  controller: ["--broker-port", "0"],
};

test.each(Object.entries(commands))(
  "%s tells its service manager when it is up, that it lives, and that it stops",
  async (command, options) => {
    const directory = temporaryDirectory();
    const path = join(directory.path, "notify");
    const receiver = receiveDatagrams(path);
    const args = [command, "--listen", "127.0.0.1:0", "--state-dir", join(directory.path, "state"), ...options];
    const program = startProgram(args, directory.path, { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" });
    const received = async () => receiver.received();
    await program.untilLogged(`"${command} started"`);
    const texts = await eventually(received, (all) => all.filter((text) => text === "WATCHDOG=1").length > 2);
    expect(texts.filter((text) => text.startsWith("READY=1\nSTATUS="))).toHaveLength(1);
    expect(texts.indexOf("WATCHDOG=1")).toBe(1);
    expect(await program.stop()).toBe(0);
    expect(receiver.received().filter((text) => text === "STOPPING=1")).toHaveLength(1);
    receiver.close();
    directory.remove();
  },
);
