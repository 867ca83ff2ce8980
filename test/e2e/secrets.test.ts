import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "#platform/log.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentLogin, keyIn, observerLogin } from "../fakes/broker-clients.ts";
import { fastClock } from "../fakes/fast-clock.ts";
import { freePort } from "../fakes/free-port.ts";
import { readAnswer } from "../fakes/read-answer.ts";
import { watchDescendants } from "./processes.ts";
import { eventually, type Program, programCommand, startProgram, temporaryDirectory } from "./program.ts";

/** Prefix of every secret here: a text that shows a secret shows this. */
const mark = "s3cr3t-";
const key = `${mark}api-key-of-this-test`;
const password = `${mark}mqtt`;
const environment = {
  THORMESH_API_KEY: key,
  THORMESH_MQTT_PASSWORD: password,
  THORMESH_MODELS_TOKEN: `${mark}models`,
  THORMESH_PROMETHEUS_TOKEN: `${mark}prometheus`,
  HF_TOKEN: `${mark}hugging-face`,
  AWS_SECRET_ACCESS_KEY: `${mark}aws`,
  NVIDIA_API_KEY: `${mark}nvidia`,
  HOOK_SECRET: `${mark}hook-signature`,
  TRIGGER_TOKEN: `${mark}trigger`,
  // The service's own credentials, which its children must not get either.
  CREDENTIALS_DIRECTORY: `/nowhere/${mark}credentials`,
  ORT_DISABLE_TELEMETRY: "0",
};

let directory: ReturnType<typeof temporaryDirectory>;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

async function start(command: string, config: object, env: Readonly<Record<string, string>>) {
  const path = join(directory.path, `${command}.json`);
  await Bun.write(path, JSON.stringify(config));
  const program = startProgram([command, "--config", path], directory.path, env);
  closing.push(() => program.stop("SIGKILL"));
  const output: string[] = [];
  void (async () => {
    for await (const chunk of program.child.stdout) output.push(new TextDecoder().decode(chunk));
  })();
  const children = watchDescendants(program.child.pid);
  closing.push(() => children.stop());
  return { program, path, children, output: () => output.join("") };
}

/** Answers of every GET route of a program's own document, headers included. */
async function everyAnswer(url: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${key}` };
  const { paths } = (await (await fetch(`${url}/openapi/json`, { headers })).json()) as {
    paths: Record<string, object>;
  };
  const routes = Object.entries(paths).filter(([, methods]) => "get" in methods);
  expect(routes.length).toBeGreaterThan(5);
  return Promise.all(
    routes.map(async ([path]) => {
      const answer = await fetch(url + path.replaceAll(/\{[^}]+\}/g, "1"), {
        headers,
        signal: AbortSignal.timeout(30_000),
      });
      return `${path} ${answer.status} ${JSON.stringify([...answer.headers])} ${await readAnswer(answer)}`;
    }),
  );
}

async function run(args: readonly string[]): Promise<string> {
  const child = Bun.spawn([...programCommand, ...args], {
    cwd: directory.path,
    env: { ...process.env, THORMESH_API_KEY: key },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const texts = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return `${args.join(" ").replaceAll(mark, "")}: ${texts.join("\n")}`;
}

const expectNone = (texts: readonly string[], secrets: readonly string[] = []) => {
  expect(texts.length).toBeGreaterThan(0);
  const around = (text: string, at: number) => `${text.slice(0, 40)} … ${text.slice(Math.max(0, at - 80), at + 40)}`;
  const found = [mark, ...secrets].flatMap((secret) =>
    texts.flatMap((text) => (text.includes(secret) ? [around(text, text.indexOf(secret))] : [])),
  );
  expect(found).toEqual([]);
};

/** Server that redirects every request to another one, which records what reaches it. */
function startRedirecting() {
  const reached: string[] = [];
  const asked: string[] = [];
  const other = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      reached.push(request.url);
      return Response.json({ a: 1, status: "success", data: { resultType: "scalar", result: [0, "1"] } });
    },
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push(`${new URL(request.url).pathname} ${request.headers.get("authorization") ?? "without"}`);
      return new Response(null, { status: 307, headers: { location: `http://127.0.0.1:${other.port}/landed` } });
    },
  });
  closing.push(() => Promise.all([server.stop(true), other.stop(true)]));
  return { port: server.port as number, asked, reached };
}

describe.if(process.platform === "linux")("no secret of a fleet leaves it", () => {
  test("by logs, APIs, messages, commands, arguments or environments, wherever it is configured", async () => {
    const [api, broker, processAgent] = [await freePort(), await freePort(), await freePort()];
    const redirecting = startRedirecting();
    const withUser = (scheme: string, port: number, name: string) =>
      `${scheme}://${name}:${mark}${name}@127.0.0.1:${port}`;
    const clock = fastClock(240);
    const shared = { fleet: "secrets", logLevel: "debug", clock };
    await Bun.write(join(directory.path, "p1.json"), JSON.stringify({ logLevel: "debug", serving: { threads: 1 } }));
    await Bun.write(
      join(directory.path, "policy.json"),
      JSON.stringify({
        kind: "ScalingPolicy",
        name: "watched",
        minReplicas: 3,
        maxReplicas: 3,
        triggers: [
          {
            name: "queue",
            kind: "http-json",
            url: `${withUser("http", redirecting.port, "trigger")}/queue?token=${mark}query`,
            path: "a",
            target: 1,
          },
          {
            name: "prom",
            kind: "prometheus",
            url: `http://127.0.0.1:${redirecting.port}/prom`,
            bearerTokenEnv: "TRIGGER_TOKEN",
            headers: { "x-scope": `${mark}header` },
            query: "up",
            target: 1,
          },
        ],
      }),
    );
    const controller = await start(
      "controller",
      {
        ...shared,
        stateDir: join(directory.path, "controller"),
        api: { port: api },
        broker: { port: broker },
        scaling: {
          warmUpMs: 1000,
          policyFile: join(directory.path, "policy.json"),
          capacity: {
            process: [{ id: "p1", listen: `127.0.0.1:${processAgent}`, config: join(directory.path, "p1.json") }],
            webhooks: [
              {
                url: `${withUser("http", redirecting.port, "hook")}/hook?sig=${mark}sig#${mark}fragment`,
                secretEnv: "HOOK_SECRET",
                agents: ["rack-1"],
                attempts: 1,
              },
            ],
            startupMs: 40_000_000,
          },
        },
      },
      environment,
    );
    const url = `http://127.0.0.1:${api}`;
    const headers = { authorization: `Bearer ${key}` };
    await eventually(
      async () => (await fetch(`${url}/healthz`, { headers })).status,
      (status) => status === 200,
    );

    const fleetKey = keyIn(join(directory.path, "controller"));
    const { clientId, ...observer } = observerLogin(shared.fleet, fleetKey);
    const { password: agentPassword } = agentLogin("a1", shared.fleet, fleetKey);
    const secrets = [agentPassword, observer.password, Buffer.from(fleetKey).toString("base64url")];
    const messages: string[] = [];
    const listener = new MqttBroker(
      { url: `mqtt://127.0.0.1:${broker}`, clientId, credentials: () => observer },
      createLogger("test", "silent"),
    );
    listener.subscribe("thormesh/#", ({ topic, payload }) => {
      messages.push(`${topic} ${new TextDecoder().decode(payload)}`);
    });
    await listener.start();
    closing.push(() => listener.stop());

    const agent = await start(
      "agent",
      {
        ...shared,
        id: "a1",
        stateDir: join(directory.path, "agent"),
        broker: { url: `mqtt://a1:${agentPassword}@127.0.0.1:${broker}/?token=${mark}query`, keepAliveS: 2 },
        models: { url: withUser("https", 1, "hub"), token: `${mark}token` },
        power: { board: "simulated" },
        serving: {
          port: 0,
          threads: 1,
          tracing: {
            otlpUrl: withUser("http", redirecting.port, "collector"),
            headers: { "x-key": `${mark}header` },
            exportPeriodMs: 100,
          },
        },
      },
      { ...environment, THORMESH_MQTT_PASSWORD: "" },
    );
    const started = JSON.parse(await agent.program.untilLogged("agent started")) as { url: string };
    await eventually(
      async () => (await fetch(`${started.url}/readyz`, { headers })).status,
      (status) => status === 200,
    );
    await fetch(`${started.url}/v1/embeddings`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: "hello" }),
    });
    // The process provider's agent has connected, with a password that is in neither its arguments nor its environment.
    await eventually(
      async () => (await (await fetch(`${url}/api/v1/agents`, { headers })).json()) as { agents: AgentRow[] },
      ({ agents }) => ["a1", "p1"].every((id) => agents.some((row) => row.agentId === id && row.status === "online")),
    );
    const places = ["/queue", "/prom", "/hook", "/v1/traces"];
    await eventually(
      async () => redirecting.asked,
      (asked) => places.every((place) => asked.some((line) => line.startsWith(place))),
    );
    // A wrong password and a broker that goes away are logged too.
    const wrong = new MqttBroker(
      {
        url: `mqtt://127.0.0.1:${broker}`,
        clientId: "wrong",
        credentials: () => ({ username: "a1", password: `${mark}wrong` }),
      },
      createLogger("test", "silent"),
    );
    await wrong.start();
    await Bun.sleep(300);
    await wrong.stop();

    const shown = [
      ...(await everyAnswer(url)),
      ...(await everyAnswer(started.url)),
      ...messages,
      await run(["status", "--url", url.replace("//", `//user:${mark}status@`)]),
      await run(["why", "--url", url, "--json"]),
      await run(["doctor", "--config", agent.path]),
      await run(["doctor", "--config", agent.path, "--json"]),
      await run(["config", "check", "agent", agent.path, "--json"]),
      await run(["config", "check", "controller", controller.path, "--json"]),
      await run(["policy", "validate", join(directory.path, "policy.json"), "--json"]),
    ];
    expect(messages.length).toBeGreaterThan(0);
    expect(shown.some((text) => text.includes(`mqtt://127.0.0.1:${broker}`))).toBe(true);
    await controller.program.stop();
    await eventually(
      async () => agent.program.log(),
      (log) => log.includes("lost the broker"),
    );
    await agent.program.stop();
    shown.push(controller.program.log(), controller.output(), agent.program.log(), agent.output());
    shown.push(readFileSync(join(directory.path, "controller", "agents", "p1", "agent.log"), "utf8"));
    expectNone(shown, secrets);

    // Credentials reached only their own server, and no redirect was followed.
    const basic = (name: string) => `Basic ${btoa(`${name}:${mark}${name}`)}`;
    expect(redirecting.asked).toContain(`/queue ${basic("trigger")}`);
    expect(redirecting.asked).toContain(`/hook ${basic("hook")}`);
    expect(redirecting.asked).toContain(`/v1/traces ${basic("collector")}`);
    expect(redirecting.asked).toContain(`/prom/api/v1/query Bearer ${mark}trigger`);
    expect(redirecting.reached).toEqual([]);

    for (const { children } of [controller, agent]) {
      const seen = children.seen();
      expect(seen.length).toBeGreaterThan(1);
      expectNone(
        seen.map(({ args, environment: own }) => `${args}\n${own}`),
        secrets,
      );
    }
    const ofProvider = controller.children.seen().filter(({ args }) => args.includes("--id=p1"));
    expect(ofProvider.length).toBeGreaterThan(0);
    const workers = agent.children.seen().filter(({ args }) => args.includes("model-worker"));
    expect(workers.length).toBeGreaterThan(0);
    // The telemetry test holds for the worker processes too.
    for (const { environment: own } of workers) expect(own).toContain("ORT_DISABLE_TELEMETRY=0");

    // The files that name where secrets are belong to their owner alone.
    const config = join(directory.path, "controller", "agents", "p1", "agent.json");
    expect(readFileSync(config, "utf8")).not.toContain(mark);
    expect(statSync(config).mode & 0o777).toBe(0o600);
  });

  test("by the demo, whose processes get none", async () => {
    const program = startProgram(["demo", "--speed", "60"], directory.path, {
      ...environment,
      TMPDIR: directory.path,
    });
    closing.push(() => program.stop("SIGKILL"));
    const children = watchDescendants(program.child.pid);
    closing.push(() => children.stop());
    // The live fleet: the demo asks it without a key, which it would not answer had it inherited one.
    await eventually(
      async () => children.seen().filter(({ args }) => args.includes("model-worker")).length,
      (workers) => workers >= 3,
      240_000,
    );
    expectNone(children.seen().map(({ args, environment: own }) => `${args}\n${own}`));
    expect(await program.stop("SIGINT")).toBeLessThan(2);
    expectNone([program.log(), await new Response(program.child.stdout).text()]);
  });
});

interface AgentRow {
  readonly agentId: string;
  readonly status: string;
}

test("keys and passwords come from files that only their owner reads, or from the service's credentials", async () => {
  const credentials = join(directory.path, "credentials");
  await Bun.write(join(credentials, "thormesh-api-key"), `${key}\n`);
  const file = join(directory.path, "key");
  await Bun.write(file, `${key}\n`);
  await Bun.$`chmod 600 ${file}`.quiet();
  const config = { stateDir: join(directory.path, "c"), api: { port: 0 }, broker: { port: 0 } };
  const attempt = async (env: Readonly<Record<string, string>>) => {
    const { program }: { program: Program } = await start("controller", config, env);
    const { url } = JSON.parse(await program.untilLogged("controller started")) as { url: string };
    const statuses = await Promise.all(
      [{}, { authorization: `Bearer ${key}` }].map(
        async (headers: Record<string, string>) => (await fetch(`${url}/api/v1/fleet`, { headers })).status,
      ),
    );
    await program.stop();
    expectNone([program.log()]);
    return statuses;
  };
  expect(await attempt({ CREDENTIALS_DIRECTORY: credentials })).toEqual([401, 200]);
  expect(await attempt({ THORMESH_API_KEY_FILE: file })).toEqual([401, 200]);
  expect(await attempt({ THORMESH_SERVER_API_KEY_FILE: file, THORMESH_API_KEY: "a-client-key" })).toEqual([401, 200]);
  await Bun.$`chmod 644 ${file}`.quiet();
  const refused = startProgram(["controller"], directory.path, { THORMESH_API_KEY_FILE: file });
  await refused.untilLogged("expected a file that only its owner can read");
  expect(await refused.child.exited).toBe(2);
  expectNone([refused.log()]);
  expect(readdirSync(directory.path).length).toBeGreaterThan(0);
});
