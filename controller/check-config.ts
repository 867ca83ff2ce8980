import { checkForecastConfig } from "#agent/forecast/check-forecast-config.ts";
import { UsageError } from "#platform/errors.ts";
import { parseCheckedConfig } from "#platform/read-config.ts";
import { ControllerConfig } from "./config.ts";
import { checkCapacityConfig } from "./scaling/actuators/capacity-config.ts";
import { checkCloudConfig } from "./scaling/plan-policy/cloud-config.ts";

/** What the schema can't say of a controller's configuration. One line a mistake, path first. */
function checkControllerConfig({ scaling, forecast }: Pick<ControllerConfig, "scaling" | "forecast">): string[] {
  const { capacity, cloud, minReplicas, maxReplicas } = scaling;
  const switched = new Set([
    ...capacity.process.map(({ id }) => id),
    ...capacity.webhooks.flatMap(({ agents }) => agents),
  ]);
  return [
    ...checkForecastConfig(forecast).map((line) => `forecast.${line}`),
    ...(minReplicas > maxReplicas
      ? [`scaling.minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`]
      : []),
    ...checkCapacityConfig(capacity).map((line) => `scaling.capacity.${line}`),
    ...checkCloudConfig(cloud, switched).map((line) => `scaling.${line}`),
  ];
}

/**
 * A controller's configuration with its defaults.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseControllerConfig(input: unknown, source: string): ControllerConfig {
  return parseCheckedConfig(ControllerConfig, checkControllerConfig, input, source);
}

/** @throws UsageError naming `source` and all that {@link checkControllerConfig} finds. */
export function assertControllerConfig(config: Pick<ControllerConfig, "scaling" | "forecast">, source: string): void {
  const mistakes = checkControllerConfig(config);
  if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
}
