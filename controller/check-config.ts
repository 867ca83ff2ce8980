import { checkForecastConfig } from "#forecast/check-forecast-config.ts";
import {
  brokerUrlMistakes,
  userInfoMistakes,
  withAuthorization,
  withoutUserInfo,
} from "#platform/fetch/split-credentials.ts";
import { invalidInput, parseConfig } from "#platform/files/read-config.ts";
import { tlsMistakes } from "#platform/http/tls/tls-config.ts";
import { calendarTimeMs, parseTime } from "#platform/parse-time.ts";
import { providerMistakes } from "#protocol/identity/oidc/provider-config.ts";
import { checkAlertsConfig } from "./alerts/alerts-config.ts";
import { ControllerConfig } from "./config.ts";
import { readZone } from "./cost/window/local-time.ts";
import { hostsMistakes } from "./identity/identity-config.ts";
import { checkCapacityConfig } from "./scaling/actuators/capacity-config.ts";
import { checkCloudConfig } from "./scaling/apply-plan/cloud-config.ts";
import { checkStoreConfig } from "./store/postgres/store-config.ts";

/** Addresses whose user and password are split off. */
const takenApart = ["broker.url", "store.url", "scaling.capacity.webhooks.*.url"];

type CheckedParts = Pick<
  ControllerConfig,
  "api" | "scaling" | "forecast" | "broker" | "cost" | "identity" | "alerts" | "store" | "insecure"
>;

/** Refuses one login for all at the embedded broker: each agent could then act as the others and as the controller. */
function checkBrokerConfig(broker: ControllerConfig["broker"] | undefined): string[] {
  if ((broker?.url ?? null) !== null) return [];
  return (["username", "password", "passwordFile"] as const)
    .filter((name) => (broker?.[name] ?? null) !== null)
    .map(
      (name) =>
        `${name}: only valid with broker.url. Each client of the embedded broker has its own password: agents of the same user on this machine ` +
        "find theirs; for others, thormesh controller secret ID prints an agent's password and --observer a read-only one. Remove this key",
    );
}

function checkOidcConfig(oidc: ControllerConfig["api"]["oidc"]): string[] {
  const isMapped = oidc.issuer === null || Object.values(oidc.roles).some((values) => values.length > 0);
  return [...providerMistakes(oidc), ...(isMapped ? [] : ["roles: expected values for at least one role, got none"])];
}

const isDay = (text: string) => calendarTimeMs(...text.split("-").map(Number)) !== null;

/** Lists what is wrong with a controller's configuration beyond its schema, one line a mistake, path first. */
function checkControllerConfig(config: CheckedParts): string[] {
  const { api, scaling, forecast, broker, cost, identity } = config;
  const { passwordsUntil } = identity;
  const { capacity, cloud, minReplicas, maxReplicas } = scaling;
  const switched = new Set([
    ...capacity.process.map(({ id }) => id),
    ...capacity.webhooks.flatMap(({ agents }) => agents),
  ]);
  return [
    ...userInfoMistakes(config, takenApart),
    ...brokerUrlMistakes(broker?.url, "broker.url"),
    ...checkBrokerConfig(broker).map((line) => `broker.${line}`),
    ...checkStoreConfig(config.store, config.insecure).map((line) => `store.${line}`),
    ...(passwordsUntil === null || parseTime(passwordsUntil) !== null
      ? []
      : [`identity.passwordsUntil: expected a day or a time with its zone, like 2027-01-31, got "${passwordsUntil}"`]),
    ...hostsMistakes(identity).map((line) => `identity.${line}`),
    ...tlsMistakes(api.tls).map((line) => `api.tls.${line}`),
    ...checkOidcConfig(api.oidc).map((line) => `api.oidc.${line}`),
    ...checkForecastConfig(forecast).map((line) => `forecast.${line}`),
    ...(minReplicas > maxReplicas
      ? [`scaling.minReplicas: expected at most maxReplicas (${maxReplicas}), got ${minReplicas}`]
      : []),
    ...(readZone(cost.timeZone) === null
      ? [`cost.timeZone: expected UTC, ±HH:MM or a time zone like Europe/Berlin, got "${cost.timeZone}"`]
      : []),
    ...(cost.planned ?? []).flatMap(({ from, until }, index) => [
      ...[from, until].flatMap((day) =>
        day === null || isDay(day) ? [] : [`cost.planned.${index}: expected a day that exists, got "${day}"`],
      ),
      ...(until !== null && until <= from
        ? [`cost.planned.${index}.until: expected a day after ${from}, got "${until}"`]
        : []),
    ]),
    ...checkAlertsConfig(config.alerts).map((line) => `alerts.${line}`),
    ...checkCapacityConfig(capacity).map((line) => `scaling.capacity.${line}`),
    ...checkCloudConfig(cloud, switched).map((line) => `scaling.${line}`),
  ];
}

/**
 * Parses a controller's configuration: with its defaults, and without a user or password in any address.
 * @throws UsageError naming `source` and everything that is wrong at once.
 */
export function parseControllerConfig(input: unknown, source: string): ControllerConfig {
  const config = parseConfig(ControllerConfig, input, source, checkControllerConfig);
  const { scaling } = config;
  const webhooks = scaling.capacity.webhooks.map(withAuthorization);
  return {
    ...config,
    broker: withoutUserInfo(config.broker),
    store: withoutUserInfo(config.store),
    scaling: { ...scaling, capacity: { ...scaling.capacity, webhooks } },
  };
}

/** Checks a configuration beyond its schema. @throws UsageError naming `source` and all mistakes. */
export function assertControllerConfig(config: CheckedParts, source: string): void {
  const mistakes = checkControllerConfig(config);
  if (mistakes.length > 0) throw invalidInput(source, mistakes);
}
