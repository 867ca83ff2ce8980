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
      forS: integer(rule.forMs / 1000, [0, 7 * 86_400], "seconds that the condition must hold before the alert fires"),
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
      "webhook: signed JSON; slack: incoming webhook of Slack or a compatible program; alertmanager: Prometheus Alertmanager's API v2",
  }),
  url: {
    ...orNull(
      Type.String({ pattern: "^https?://[^\\s@]{1,2000}$", maxLength: 2048, title: "an http or https address" }),
      "address (for an Alertmanager without /api/v2); null: taken from urlEnv",
    ),
    default: null,
  },
  urlEnv: {
    ...orNull(
      Variable,
      "environment variable with the address, for Slack webhooks, whose address is secret (or NAME_FILE, or a credential); null: taken from url",
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
    description: "minimum severity of alerts sent to it",
  }),
  digest: Type.Boolean({ default: true, description: "send it a daily digest of the previous day's cost" }),
});
export type NotifierConfig = Static<typeof NotifierConfig>;

/** Alerts on cost and service, and their notifiers. */
export const AlertsConfig = strictObject(
  {
    rules: strictObject(rules, { default: {}, description: "Built-in rules." }),
    notifiers: Type.Array(NotifierConfig, {
      ...{ default: [], maxItems: 20 },
      description: "programs that receive alerts",
    }),
    groupWaitS: number(10, [0, 3600], "seconds that a first alert waits for others, to be sent in one message"),
    groupIntervalS: number(300, [0, 86_400], "minimum seconds between two messages to one webhook or Slack"),
    repeatAfterH: number(24, [0.1, 720], "hours after which a continuing alert is sent again"),
  },
  { default: {}, description: "Alerts, and who receives them." },
);
export type AlertsConfig = Static<typeof AlertsConfig>;

/** Lists what is wrong with the notifiers beyond their schema. */
export function checkAlertsConfig({ notifiers = [] }: AlertsConfig): string[] {
  const names = notifiers.map(({ name }) => name);
  return notifiers.flatMap(({ name, kind, url, urlEnv, secretEnv }, index) => {
    const at = `notifiers.${index}`;
    return [
      ...(names.indexOf(name) < index ? [`${at}.name: expected a unique name, got "${name}" again`] : []),
      ...((url === null) === (urlEnv === null) ? [`${at}.url: expected either url or urlEnv`] : []),
      ...(kind === "webhook" && secretEnv === null
        ? [`${at}.secretEnv: expected the variable with the secret that signs the webhook, got null`]
        : []),
    ];
  });
}
