import { type Static, Type } from "@sinclair/typebox";
import { integer, number } from "#platform/config-fields.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier } from "#protocol/bounds.ts";
import { type AlertRule, type AlertRuleName, alertRules } from "./alert-rules.ts";

const thresholdOf = ({ threshold, range: [minimum, maximum], isBelow, summary, unit }: AlertRule) =>
  Type.Union([Type.Number({ minimum, maximum }), Type.Null()], {
    default: threshold,
    description: `alert ${isBelow ? "below" : "above"} this, ${unit}: ${summary}; null: no alert`,
  });

const ruleConfig = (rule: AlertRule) =>
  strictObject(
    {
      threshold: thresholdOf(rule),
      forS: integer(rule.forMs / 1000, [0, 7 * 86_400], "seconds for which it must hold before it is an alert"),
    },
    { default: {}, description: `Rule: ${rule.summary}.` },
  );

const rules = Object.fromEntries(Object.entries(alertRules).map(([name, rule]) => [name, ruleConfig(rule)])) as Record<
  AlertRuleName,
  ReturnType<typeof ruleConfig>
>;

const Variable = Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$", title: "a name of a variable" });

const NotifierConfig = strictObject({
  name: { ...Identifier, description: "name of the notifier" },
  kind: Type.Unsafe<"webhook" | "slack" | "alertmanager">({
    ...Type.Union([Type.Literal("webhook"), Type.Literal("slack"), Type.Literal("alertmanager")]),
    description:
      "webhook: JSON, signed; slack: a message as Slack's and compatible programs' incoming webhooks take it; alertmanager: version 2 of Prometheus Alertmanager's API",
  }),
  url: {
    ...orNull(
      Type.String({ pattern: "^https?://[^\\s@]{1,2000}$", maxLength: 2048, title: "an http or https address" }),
      "address; of an Alertmanager without /api/v2; null: it is in urlEnv",
    ),
    default: null,
  },
  urlEnv: {
    ...orNull(
      Variable,
      "environment variable with the address, which is a secret of Slack's webhooks (or NAME_FILE, or a credential); null: it is in url",
    ),
    default: null,
  },
  secretEnv: {
    ...orNull(
      Variable,
      "environment variable with the secret that signs a webhook, or with the Authorization header for an Alertmanager; null: none",
    ),
    default: null,
  },
  minSeverity: Type.Unsafe<"info" | "warning" | "critical">({
    ...Type.Union([Type.Literal("info"), Type.Literal("warning"), Type.Literal("critical")]),
    default: "warning",
    description: "least severe alerts that it is told",
  }),
  digest: Type.Boolean({ default: true, description: "tell it each day what the day before cost" }),
});
export type NotifierConfig = Static<typeof NotifierConfig>;

/** Alerts on cost and service, and who is told. */
export const AlertsConfig = strictObject(
  {
    rules: strictObject(rules, { default: {}, description: "Built-in rules." }),
    notifiers: Type.Array(NotifierConfig, {
      ...{ default: [], maxItems: 20 },
      description: "programs that are told of alerts",
    }),
    groupWaitS: number(10, [0, 3600], "seconds that a first alert waits for others, to come in one message"),
    groupIntervalS: number(300, [0, 86_400], "min seconds between two messages to one webhook or Slack"),
    repeatAfterH: number(24, [0.1, 720], "hours after which an alert that goes on is told again"),
  },
  { default: {}, description: "Alerts, and who is told." },
);
export type AlertsConfig = Static<typeof AlertsConfig>;

/** Lists what is wrong with the notifiers beyond their schema. */
export function checkAlertsConfig({ notifiers = [] }: AlertsConfig): string[] {
  const names = notifiers.map(({ name }) => name);
  return notifiers.flatMap(({ name, kind, url, urlEnv, secretEnv }, index) => {
    const at = `notifiers.${index}`;
    return [
      ...(names.indexOf(name) < index ? [`${at}.name: expected a name of its own, got "${name}" again`] : []),
      ...((url === null) === (urlEnv === null) ? [`${at}.url: expected either url or urlEnv`] : []),
      ...(kind === "webhook" && secretEnv === null
        ? [`${at}.secretEnv: expected the variable with the secret that signs the webhook, got null`]
        : []),
    ];
  });
}
