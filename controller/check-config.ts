import { Value } from "@sinclair/typebox/value";
import { UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/read-config.ts";
import { ControllerConfig } from "./config.ts";
import { checkCapacityConfig } from "./scaling/actuators/capacity-config.ts";
import { checkCloudConfig } from "./scaling/plan-policy/cloud-config.ts";

/** What the schema can't say of a controller's configuration. One line a mistake, path first. */
export function checkControllerConfig({ scaling }: Pick<ControllerConfig, "scaling">): string[] {
  const { capacity, cloud, minReplicas, maxReplicas } = scaling;
  const switched = new Set([
    ...capacity.process.map(({ id }) => id),
    ...capacity.webhooks.flatMap(({ agents }) => agents),
  ]);
  return [
    ...(minReplicas > maxReplicas
      ? [`scaling.minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`]
      : []),
    ...checkCapacityConfig(capacity).map((line) => `scaling.capacity.${line}`),
    ...checkCloudConfig(cloud, switched).map((line) => `scaling.${line}`),
  ];
}

/** What {@link checkControllerConfig} finds in a configuration that the schema refuses; nothing where it can't cope with it. */
function checkAnyway(input: unknown): string[] {
  try {
    return checkControllerConfig(Value.Default(ControllerConfig, Value.Clone(input)) as ControllerConfig);
  } catch {
    return [];
  }
}

/**
 * A controller's configuration with its defaults.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseControllerConfig(input: unknown, source: string): ControllerConfig {
  let config: ControllerConfig;
  try {
    config = parseConfig(ControllerConfig, input, source);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError([error.message, ...checkAnyway(input ?? {})].join("\n  "));
  }
  assertControllerConfig(config, source);
  return config;
}

/** @throws UsageError naming `source` and all that {@link checkControllerConfig} finds. */
export function assertControllerConfig(config: Pick<ControllerConfig, "scaling">, source: string): void {
  const mistakes = checkControllerConfig(config);
  if (mistakes.length > 0) throw new UsageError(`${source} is not valid:\n  ${mistakes.join("\n  ")}`);
}
