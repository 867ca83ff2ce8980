import { parseCheckedConfig } from "#platform/read-config.ts";
import { AgentConfig } from "./config.ts";
import { checkForecastConfig } from "./forecast/check-forecast-config.ts";

/** What the schema can't say of an agent's configuration. One line a mistake, path first. */
function checkAgentConfig({ forecast, power }: Pick<AgentConfig, "forecast" | "power">): string[] {
  const { lowQps, highQps } = power.policy;
  return [
    ...checkForecastConfig(forecast).map((line) => `forecast.${line}`),
    ...(lowQps > highQps ? [`power.policy.lowQps: expected at most highQps (${highQps}), got ${lowQps}`] : []),
  ];
}

/**
 * An agent's configuration with its defaults.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseAgentConfig(input: unknown, source: string): AgentConfig {
  return parseCheckedConfig(AgentConfig, checkAgentConfig, input, source);
}
