import { configKeys, variableOf } from "#platform/environment/config-keys.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";
import { type Program, schemas } from "../run/read-input.ts";

/** Keys that a new user may want to set, in the order of the file, with an example where the default is none. */
export const wantedKeys: Readonly<Record<Program, Readonly<Record<string, unknown>>>> = {
  agent: {
    stateDir: "/var/lib/thormesh-agent",
    fleet: undefined,
    id: "thor-1",
    region: "hall-1",
    logLevel: undefined,
    "broker.url": "mqtt://controller.example:1883",
    "broker.passwordFile": "/var/lib/thormesh-agent/broker.password",
    "serving.host": "0.0.0.0",
    "serving.port": undefined,
    "serving.apiKeys": ["openssl-rand-base64-24"],
    "serving.tls.certFile": "/etc/thormesh/agent.pem",
    "serving.tls.keyFile": "/etc/thormesh/agent.key",
    "serving.model": undefined,
    "serving.cacheBytes": undefined,
    "power.policy.kind": "forecast",
    "power.policy.sloBudget": undefined,
    "power.policy.maxWatts": 60,
    "slo.p95Ms": undefined,
    "forecast.timeZone": "Europe/Berlin",
  },
  controller: {
    stateDir: "/var/lib/thormesh-controller",
    fleet: undefined,
    logLevel: undefined,
    "api.host": "0.0.0.0",
    "api.port": undefined,
    "api.tls.certFile": "/etc/thormesh/controller.pem",
    "api.tls.keyFile": "/etc/thormesh/controller.key",
    "broker.port": undefined,
    "broker.tls.host": "0.0.0.0",
    "broker.tls.port": 8883,
    "broker.url": "mqtts://broker.example:8883",
    "scaling.policy": "fleet-plan",
    "scaling.minReplicas": undefined,
    "scaling.maxReplicas": 40,
    "slo.p95Ms": undefined,
    "cost.tariffUsdPerKwh": undefined,
    "cost.amortisationUsdPerHour": undefined,
    "cost.catalogue": "/etc/thormesh/prices.yaml",
    "cost.timeZone": "Europe/Berlin",
    "retention.minuteDays": undefined,
  },
};

const width = 100;

const comment = (text: string, indent: string): string =>
  wrapText(text, width - indent.length - 2, "")
    .split("\n")
    .map((line) => `${indent}# ${line}`)
    .join("\n");

/** Example or default of a key, in YAML on one line. */
const inYaml = (value: unknown): string =>
  typeof value === "string" && /^[A-Za-z/][\w./@-]*$/.test(value) && !/^(true|false|null|yes|no)$/i.test(value)
    ? value
    : JSON.stringify(value);

/**
 * Returns a configuration file with the keys one may want to set, all commented out, so that it equals `{}`. To set
 * a key, remove the `#` from its line and its section's.
 */
export function initialConfig(program: Program): string {
  const keys = configKeys(schemas[program]);
  const lines = [
    `# Configuration of thormesh ${program}. Each key has a default, and is commented out here: remove "#" from its line and from its section's.`,
    `# All keys: docs/configuration.md, or thormesh config schema ${program}. Check: thormesh config check ${program} FILE`,
    "# An environment variable overrides the file, and a command-line option overrides both.",
  ];
  const open: string[] = [];
  for (const [name, example] of Object.entries(wantedKeys[program])) {
    const key = keys.find(({ path }) => path.join(".") === name);
    if (key === undefined) throw new Error(`${name}: the ${program} has no such key`);
    const sections = key.path.slice(0, -1);
    let same = 0;
    while (same < sections.length && open[same] === sections[same]) same += 1;
    if (sections.length === 0 || same === 0) lines.push("");
    for (let depth = same; depth < sections.length; depth++) lines.push(`#${"  ".repeat(depth)}${sections[depth]}:`);
    open.splice(0, open.length, ...sections);
    const indent = "  ".repeat(sections.length);
    const standard = key.schema["default"];
    const description = key.schema.description ?? "";
    const byDefault = example === undefined || standard === null ? "" : `; default: ${JSON.stringify(standard)}`;
    lines.push(comment(`${description}${byDefault} (${variableOf(key.path)})`, `#${indent}`));
    lines.push(`#${indent}${key.path.at(-1)}: ${inYaml(example ?? standard)}`);
  }
  return `${lines.join("\n")}\n`;
}
