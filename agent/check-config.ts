import { checkForecastConfig } from "#forecast/check-forecast-config.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import {
  brokerUrlMistakes,
  userInfoMistakes,
  withAuthorization,
  withoutUserInfo,
} from "#platform/fetch/split-credentials.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { sharedKeyMistake } from "#platform/http/guard/identify-caller.ts";
import { tlsMistakes } from "#platform/http/tls/tls-config.ts";
import { providerMistakes } from "#protocol/identity/oidc/provider-config.ts";
import { AgentConfig } from "./config.ts";

/** Addresses whose user and password are moved to their own keys; `models pull` sends its own as a header. */
const splitAddresses = ["broker.url", "serving.tracing.otlpUrl", "models.url"];

/** Returns the names that another one of the list equals but for case: names of models are compared so, and only one of them would count. */
function twiceGiven(names: readonly string[], path: string): string[] {
  return names.flatMap((name, index) => {
    const first = names.findIndex((each) => each.toLowerCase() === name.toLowerCase());
    return first === index ? [] : [`${path}.${name}: expected each model once, got ${names[first]} as well`];
  });
}

/** Checks what the schema of the configuration can't. Returns one line a mistake, path first. */
function checkAgentConfig(config: AgentConfig): string[] {
  const { forecast, power, broker, advertiseUrl, serving, mesh } = config;
  const { lowQps, highQps, modes, fixedMode } = power.policy;
  const sharedKey = sharedKeyMistake(serving.apiKeys);
  return [
    ...userInfoMistakes(config, splitAddresses),
    ...brokerUrlMistakes(broker?.url, "broker.url"),
    ...(typeof advertiseUrl === "string" && /[?#]/.test(advertiseUrl)
      ? [`advertiseUrl: expected an address without query and fragment, got "${redactUrl(advertiseUrl)}"`]
      : []),
    ...(sharedKey === null ? [] : [`serving.${sharedKey}`]),
    ...providerMistakes(serving.oidc).map((line) => `serving.oidc.${line}`),
    ...tlsMistakes(serving.tls).map((line) => `serving.tls.${line}`),
    ...twiceGiven(Object.keys(serving.models), "serving.models"),
    ...twiceGiven(Object.keys(serving.aliases), "serving.aliases"),
    ...checkForecastConfig(forecast).map((line) => `forecast.${line}`),
    ...(modes !== null && fixedMode !== null && !modes.includes(fixedMode)
      ? [`power.policy.fixedMode: expected one of power.policy.modes (${modes.join(", ")}), got "${fixedMode}"`]
      : []),
    ...(serving.cors.origins.includes("*") && serving.apiKeys.length === 0
      ? ['serving.cors.origins: expected origins by name where there are no serving.apiKeys, got "*"']
      : []),
    ...((serving.requireKeys || serving.oidc.issuer !== null) &&
    serving.apiKeys.length === 0 &&
    mesh.keyFile === null &&
    mesh.forward !== "never"
      ? [
          `mesh.keyFile: expected a file with the secret with which agents recognise each other (serving.${serving.requireKeys ? "requireKeys" : "oidc"} without serving.apiKeys), got null; or set mesh.forward: never`,
        ]
      : []),
    ...(lowQps > highQps ? [`power.policy.lowQps: expected at most highQps (${highQps}), got ${lowQps}`] : []),
  ];
}

/**
 * Parses an agent's configuration, adds its defaults, and moves users and passwords out of its addresses.
 * @throws UsageError naming `source` and all mistakes
 */
export function parseAgentConfig(input: unknown, source: string): AgentConfig {
  const config = parseConfig(AgentConfig, input, source, checkAgentConfig);
  const { serving } = config;
  const { otlpUrl, headers } = serving.tracing;
  const collector = otlpUrl === null ? null : withAuthorization({ url: otlpUrl, headers });
  const tracing =
    collector === null
      ? serving.tracing
      : { ...serving.tracing, otlpUrl: collector.url, headers: { ...collector.headers } };
  return { ...config, broker: withoutUserInfo(config.broker), serving: { ...serving, tracing } };
}
