import { checkForecastConfig } from "#forecast/check-forecast-config.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import {
  brokerUrlMistakes,
  userInfoMistakes,
  withAuthorization,
  withoutUserInfo,
} from "#platform/fetch/split-credentials.ts";
import { parseCheckedConfig } from "#platform/files/read-config.ts";
import { AgentConfig } from "./config.ts";

/** Addresses whose user and password go to where they belong; `models pull` sends those of its own as a header. */
const takenApart = ["broker.url", "serving.tracing.otlpUrl", "models.url"];

/** What the schema can't say of an agent's configuration. One line a mistake, path first. */
function checkAgentConfig(config: AgentConfig): string[] {
  const { forecast, power, broker, advertiseUrl } = config;
  const { lowQps, highQps } = power.policy;
  return [
    ...userInfoMistakes(config, takenApart),
    ...brokerUrlMistakes(broker?.url, "broker.url"),
    ...(typeof advertiseUrl === "string" && /[?#]/.test(advertiseUrl)
      ? [`advertiseUrl: expected an address without query and fragment, got "${redactUrl(advertiseUrl)}"`]
      : []),
    ...checkForecastConfig(forecast).map((line) => `forecast.${line}`),
    ...(lowQps > highQps ? [`power.policy.lowQps: expected at most highQps (${highQps}), got ${lowQps}`] : []),
  ];
}

/**
 * An agent's configuration with its defaults, and without a user or password in any address.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseAgentConfig(input: unknown, source: string): AgentConfig {
  const config = parseCheckedConfig(AgentConfig, checkAgentConfig, input, source);
  const { serving } = config;
  const { otlpUrl, headers } = serving.tracing;
  const collector = otlpUrl === null ? null : withAuthorization({ url: otlpUrl, headers });
  const tracing =
    collector === null
      ? serving.tracing
      : { ...serving.tracing, otlpUrl: collector.url, headers: { ...collector.headers } };
  return { ...config, broker: withoutUserInfo(config.broker), serving: { ...serving, tracing } };
}
