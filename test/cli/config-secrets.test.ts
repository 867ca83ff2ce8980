import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { parseAgentConfig } from "#agent/check-config.ts";
import { AgentConfig } from "#agent/config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { Trigger } from "#controller/scaling/policy/triggers/trigger-source.ts";
import { describeError } from "#platform/errors.ts";
import { maskSecrets, pathsWithUserInfo } from "#platform/fetch/redact-url.ts";
import { programCommand } from "../e2e/program.ts";

const secret = "s3cr3t-of-the-test";
type Path = readonly (string | number)[];

/** Every place of a schema at which a text may stand, through unions, lists and records. */
function* textPlaces(schema: TSchema, path: Path = []): Generator<Path> {
  for (const branch of (schema["anyOf"] ?? []) as TSchema[]) yield* textPlaces(branch, path);
  if (schema["type"] === "string" || schema["const"] !== undefined) yield path;
  for (const [key, value] of Object.entries((schema["properties"] ?? {}) as Record<string, TSchema>))
    yield* textPlaces(value, [...path, key]);
  for (const value of Object.values((schema["patternProperties"] ?? {}) as Record<string, TSchema>))
    yield* textPlaces(value, [...path, "any-name"]);
  if (schema["items"] !== undefined) yield* textPlaces(schema["items"] as TSchema, [...path, 0]);
}

const unique = (paths: Iterable<Path>) => [...new Map([...paths].map((path) => [path.join("."), path])).entries()];

/** Items of lists with all that they need beside the field in question. */
const items: Readonly<Record<string, object>> = {
  "scaling.capacity.process.0": { id: "p", listen: "127.0.0.1:1" },
  "scaling.capacity.webhooks.0": { url: "http://127.0.0.1:1/", secretEnv: "X", agents: ["a"] },
  "triggers.0": { name: "t", kind: "http-json", url: "http://127.0.0.1:1/", path: "a", target: 1 },
};

function withValue(path: Path, value: unknown, base: object): unknown {
  const build = (depth: number): unknown => {
    if (depth === path.length) return value;
    const key = path[depth] as string | number;
    if (typeof key === "number") return [build(depth + 1)];
    const at = path.slice(0, depth).join(".");
    return { ...(depth === 0 ? base : items[at]), [key]: build(depth + 1) };
  };
  return build(0);
}

const policyBase = { kind: "ScalingPolicy", name: "p", minReplicas: 1, maxReplicas: 2 };
const programs = [
  { name: "agent", schema: AgentConfig as TSchema, parse: parseAgentConfig, base: {} },
  { name: "controller", schema: ControllerConfig as TSchema, parse: parseControllerConfig, base: {} },
  {
    name: "policy",
    schema: { ...ScalingPolicy, properties: { ...ScalingPolicy.properties, triggers: { items: Trigger } } } as TSchema,
    parse: parseScalingPolicy,
    base: policyBase,
  },
] as const;
/** Taken apart by `models pull` itself. */
const takenApartLater = new Set(["models.url"]);

function outcomeOf(parse: (input: unknown, source: string) => unknown, input: unknown) {
  try {
    return { config: parse(input, "a.yaml") };
  } catch (error) {
    return { refused: describeError(error) };
  }
}

const addresses = ["http", "https", "mqtt", "wss"].map(
  (scheme) => `${scheme}://user:${secret}@127.0.0.1:1/p?token=${secret}`,
);

describe.each(programs)("every text of the configuration: $name", ({ name, schema, parse, base }) => {
  const places = unique(textPlaces(schema));
  test("there are some", () => {
    expect(places.length).toBeGreaterThan(name === "policy" ? 10 : 20);
  });

  test.each(places)("%s: an address with a password is taken apart or refused, and shown without", (at, path) => {
    for (const address of addresses) {
      const { config, refused } = outcomeOf(parse, withValue(path, address, base));
      if (refused !== undefined) {
        expect(refused).not.toContain(secret);
        continue;
      }
      expect(JSON.stringify(maskSecrets(config))).not.toContain(secret);
      if (!takenApartLater.has(at)) expect(pathsWithUserInfo(config)).toEqual([]);
    }
  });

  const secretPlaces = places.filter(([at]) => /password(?!sUntil)|token(?!Ids)|apiKeys|headers|secret$/i.test(at));
  test.each(secretPlaces)("%s: a secret of another kind than expected is not quoted", (_, path) => {
    for (const value of [123456789012, { a: secret }, [secret], [[secret]], `${secret}\u0000`, secret.repeat(500)]) {
      const { refused = "" } = outcomeOf(parse, withValue(path, value, base));
      expect(refused).not.toContain(secret);
      expect(refused).not.toContain("123456789012");
    }
  });
});

test("user and password go to where they belong", () => {
  const agent = parseAgentConfig(
    {
      broker: { url: `mqtt://me:${secret}@h:1` },
      serving: { tracing: { otlpUrl: `http://me:${secret}@h:2`, headers: { a: "b" } } },
    },
    "a",
  );
  expect(agent.broker).toMatchObject({ url: "mqtt://h:1", username: "me", password: secret });
  const authorization = `Basic ${btoa(`me:${secret}`)}`;
  expect(agent.serving.tracing).toMatchObject({ otlpUrl: "http://h:2", headers: { a: "b", authorization } });
  const webhook = { url: `https://me:${secret}@h/a`, secretEnv: "X", agents: ["a"] };
  const controller = parseControllerConfig(
    { broker: { url: `mqtts://me:${secret}@h` }, scaling: { capacity: { webhooks: [webhook] } } },
    "c",
  );
  expect(controller.broker).toMatchObject({ url: "mqtts://h", username: "me", password: secret });
  expect(controller.scaling.capacity.webhooks[0]).toMatchObject({ url: "https://h/a", headers: { authorization } });
  const own = { ...webhook, headers: { Authorization: "Bearer own" } };
  const kept = parseControllerConfig({ scaling: { capacity: { webhooks: [own] } } }, "c");
  expect(kept.scaling.capacity.webhooks[0]).toMatchObject({
    url: "https://h/a",
    headers: { Authorization: "Bearer own" },
  });
  // What is configured as a key of its own comes first.
  const both = parseAgentConfig({ broker: { url: "mqtt://a:b@h", username: "c", password: "d" } }, "a");
  expect(both.broker).toMatchObject({ url: "mqtt://h", username: "c", password: "d" });
  const file = parseAgentConfig({ broker: { url: "mqtt://a:b@h", passwordFile: "/x" } }, "a");
  expect(file.broker).toMatchObject({ url: "mqtt://h", username: "a", password: null, passwordFile: "/x" });
});

test.each([
  `mqtt://user:a/${secret}@h`,
  `mqtt://user:1/${secret}@h`,
  `mqtt://user:a?${secret}@h`,
  `tcp://user:${secret}`,
])("a broker's address that is cut by its password is refused, unquoted: %s", (url) => {
  for (const parse of [parseAgentConfig, parseControllerConfig]) {
    const { refused = "" } = outcomeOf(parse, { broker: { url } });
    expect(refused).toContain("broker.url: expected an address");
    expect(refused.replace(/^tcp:.*$/, "")).not.toContain(`/${secret}`);
  }
});

async function run(args: readonly string[], input: string) {
  const path = `${import.meta.dir}/../../.cache`;
  const child = Bun.spawn([...programCommand, ...args], {
    cwd: path,
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

test("config check --json masks secrets unless told otherwise", async () => {
  const input = `broker: {username: me, password: ${secret}}\nserving: {apiKeys: [${secret}]}\n`;
  const args = ["config", "check", "agent", "/dev/stdin", "--json"];
  const masked = await run(args, input);
  expect(masked).toMatchObject({ code: 0, stderr: "" });
  expect(masked.stdout).not.toContain(secret);
  expect(JSON.parse(masked.stdout)).toMatchObject({ broker: { username: "me", password: "***" } });
  const shown = await run([...args, "--show-secrets"], input);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    broker: { password: secret },
    serving: { apiKeys: [secret] },
  });
});

/** Every option that takes an address, of commands that end by themselves. */
const urlOptions: readonly (readonly string[])[] = [
  ["status", "--url"],
  ["why", "--url"],
  ["freeze", "--show", "--url"],
  ["power", "report", "--url"],
  ["policy", "preview", "/dev/null", "--past", "2", "--url"],
  ["models", "pull", "acme/tiny", "--dir", "/nowhere/at-all", "--url"],
  ["forecast", "train", "--out", "/nowhere/at-all", "--query", "up", "--timeout", "1", "--prometheus"],
  ["load", "--duration", "1", "--rate", "1", "--url"],
  ["status", "--config"],
  ["decide", "active-agents", "--input"],
];

test.each(urlOptions.map((args) => [args.join(" "), args] as const))(
  "%s URL says nothing of its password",
  async (_, args) => {
    for (const scheme of ["http", "ftp"]) {
      const { code, stdout, stderr } = await run(
        [...args, `${scheme}://user:${secret}@127.0.0.1:1/?token=${secret}`],
        "",
      );
      expect(code).not.toBe(0);
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toBe("");
    }
  },
);
