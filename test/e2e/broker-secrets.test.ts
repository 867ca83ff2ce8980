import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import pino from "pino";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { controllerProbeTopic, controllerStateTopic } from "#protocol/topics.ts";
import { agentLogin, keyIn } from "../fakes/broker-clients.ts";
import { freePort } from "../fakes/free-port.ts";
import { createMosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";
import { eventually, type Program, programCommand, startProgram, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
const running: Program[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  directory.remove();
});

const begin = (args: readonly string[], env: Record<string, string> = {}) => {
  const program = startProgram(args, directory.path, env);
  running.push(program);
  return program;
};
const stateDir = () => join(directory.path, "controller");
const controllerArgs = (port: number) => [
  ...["controller", "--listen", "127.0.0.1:0", "--broker-port", String(port), "--state-dir", stateDir()],
];
const agentArgs = (port: number, ...more: string[]) => [
  ...["agent", "--id", "thor-1", "--listen", "127.0.0.1:0", "--grpc", "off", "--board", "none"],
  ...["--broker", `mqtt://127.0.0.1:${port}`, "--state-dir", join(directory.path, "agent"), ...more],
];
const secretOf = async (...args: string[]) => {
  const child = Bun.spawn([...programCommand, "controller", "secret", ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
};
const urlOf = async (controller: Program): Promise<string> =>
  JSON.parse(await controller.untilLogged('"controller started"')).url;
const agentIsOnline = (url: string) =>
  eventually(
    async () => (await (await fetch(`${url}/api/v1/agents`)).json()) as { agents: { id?: string; status: string }[] },
    ({ agents }) => agents.some(({ status }) => status === "online"),
  );

describe("agents and the controller's broker", () => {
  test("on one machine nothing is configured, and the agent may be there first", async () => {
    const port = await freePort();
    const agent = begin(agentArgs(port));
    await agent.untilLogged("not connected to the broker; serving goes on without it");
    const url = await urlOf(begin(controllerArgs(port)));
    await agentIsOnline(url);
  });

  test("elsewhere an agent is let in with what the controller prints for it, and told so without", async () => {
    const port = await freePort();
    const url = await urlOf(begin(controllerArgs(port)));
    const elsewhere = { XDG_STATE_HOME: join(directory.path, "another-machine") };
    const stranger = begin(agentArgs(port), elsewhere);
    expect(await stranger.untilLogged("Not authorized")).toContain("thormesh controller secret thor-1");
    const strangerUrl = JSON.parse(await stranger.untilLogged('"agent started"')).url;
    const { broker } = (await (await fetch(`${strangerUrl}/api/v1/status`)).json()) as { broker: object };
    expect(broker).toMatchObject({ connected: false, problem: expect.stringContaining("Not authorized") });
    await stranger.stop();
    const { out, code } = await secretOf("thor-1", "--state-dir", stateDir());
    expect(code).toBe(0);
    const passwordFile = join(directory.path, "password");
    writeFileSync(passwordFile, out, { mode: 0o600 });
    const configPath = join(directory.path, "agent.json");
    writeFileSync(configPath, JSON.stringify({ broker: { passwordFile } }));
    begin(agentArgs(port, "--config", configPath), elsewhere);
    await agentIsOnline(url);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /thormesh_broker_refused_total\{reason="no-secret"\} [1-9]/,
    );
  });

  test("thormesh controller secret prints one line, or JSON, and says what is wrong", async () => {
    await urlOf(begin(controllerArgs(0)));
    const at = ["--state-dir", stateDir()];
    const { password } = agentLogin("a", "default", keyIn(stateDir()));
    expect(await secretOf("a", ...at)).toEqual({ code: 0, out: `${password}\n`, err: "" });
    expect(JSON.parse((await secretOf("a", "--json", ...at)).out)).toEqual({
      fleet: "default",
      username: "a",
      password,
    });
    expect(JSON.parse((await secretOf("--observer", "--json", ...at)).out)).toMatchObject({ username: "observer" });
    expect((await secretOf("a", "--fleet", "g", ...at)).out).not.toBe(`${password}\n`);
    for (const [args, message] of [
      [[], "expected one agent id, or --observer"],
      [["a", "b"], "expected one agent id"],
      [["a", "--observer"], "expected one agent id"],
      [["a/b"], "letters, digits"],
      [["a", "--state-dir", "/nowhere"], "/nowhere/broker.key does not exist"],
    ] as const) {
      expect(await secretOf(...args)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(message) });
    }
  });
});

describe("the controller's broker", () => {
  test("a thousand connections that say nothing sensible cost little, and an agent gets in among them", async () => {
    const port = await freePort();
    const controller = begin(controllerArgs(port));
    const url = await urlOf(controller);
    const rssMb = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${controller.child.pid}/status`, "utf8"))?.[1]) / 1024;
    const login = agentLogin("a", "default", keyIn(stateDir()));
    const settled = await connectAsync(`mqtt://127.0.0.1:${port}`, { ...login, reconnectPeriod: 0 });
    await settled.endAsync();
    const idleMb = rssMb();
    let highestMb = 0;
    const sockets: Socket[] = [];
    // A CONNECT that is short of its last byte, one that is too long, and what is no MQTT.
    const starts = [
      Buffer.concat([Buffer.from([0x10, 0xf0, 0x7d, 0, 4]), Buffer.from("MQTT"), Buffer.alloc(16_000)]),
      Buffer.concat([Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(65_000)]),
      Buffer.alloc(60_000, 0x31),
    ];
    for (let i = 0; i < 1000; i += 1) {
      const socket = createConnection(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(starts[i % starts.length] as Buffer);
      sockets.push(socket);
      if (i % 100 === 99) {
        await Bun.sleep(20);
        highestMb = Math.max(highestMb, rssMb());
      }
    }
    const agent = await connectAsync(`mqtt://127.0.0.1:${port}`, { ...login, reconnectPeriod: 0 });
    await agent.publishAsync("thormesh/v1/default/agents/a/data", "x", { qos: 1 });
    await agent.endAsync();
    highestMb = Math.max(highestMb, rssMb());
    for (const socket of sockets) socket.destroy();
    expect(highestMb).toBeLessThan(1.5 * idleMb);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

test("at a broker elsewhere a controller stands by for one that was first and answers, and comes back when it is gone", async () => {
  const mosquitto = await createMosquitto();
  const first = new MqttBroker({ url: mosquitto.url, clientId: "first" }, pino({ level: "silent" }));
  try {
    const say = (answers?: string) => {
      const state = {
        v: 1,
        status: "online",
        instanceId: "first",
        version: "1",
        sentAtMs: 1,
        sinceMs: 1_700_000_000_000,
      };
      void first.publish(controllerStateTopic("default"), JSON.stringify({ ...state, answers }), { retain: false });
    };
    let answers = false;
    first.subscribe(controllerProbeTopic("default"), ({ payload }) => {
      if (answers) say(JSON.parse(new TextDecoder().decode(payload)).nonce);
    });
    await first.start();
    await untilConnected(first);
    const controller = begin([
      ...["controller", "--listen", "127.0.0.1:0", "--broker-url", mosquitto.url, "--state-dir", stateDir()],
    ]);
    const url = await urlOf(controller);
    // It has connected and announced itself once it answers a question.
    const announced = Promise.withResolvers<void>();
    first.subscribe(controllerStateTopic("default"), ({ payload }) => {
      if (JSON.parse(new TextDecoder().decode(payload)).instanceId !== "first") announced.resolve();
    });
    await announced.promise;
    say();
    await controller.untilLogged("the claim that another controller acts is ignored");
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    answers = true;
    say();
    await controller.untilLogged("standing by until it ends");
    await eventually(
      () =>
        fetch(`${url}/healthz`).then(
          () => "there",
          () => "gone",
        ),
      (answer) => answer === "gone",
    );
    answers = false;
    await eventually(
      async () => controller.log().split('"controller started"').length - 1,
      (starts) => starts === 2,
    );
    expect(await controller.stop()).toBe(0);
  } finally {
    await first.stop();
    await mosquitto.dispose();
  }
});
