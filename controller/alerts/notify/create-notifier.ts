import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { signWebhook } from "../../scaling/actuators/webhook-capacity.ts";
import type { NotifierConfig } from "../alerts-config.ts";
import { type Notice, type Notifier, NotifierRefusalError } from "./notifier.ts";

export interface NotifierParts {
  readonly fleetName: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

const maxAnswerBytes = 64 * 1024;
const isoOf = (timeMs: number) => new Date(timeMs).toISOString();

/** Time for which an Alertmanager believes a firing alert that is not told again: four of our looks. */
const believedForMs = 4 * 60_000;

interface Message {
  readonly path: string;
  readonly body: unknown;
}

function webhookMessage(notices: readonly Notice[], fleet: string): Message {
  const alerts = notices.map(({ status, severity, rule, labels, summary, text, startsAtMs, endsAtMs }) => ({
    ...{ status, severity, rule, labels, summary, text, startsAt: isoOf(startsAtMs) },
    endsAt: endsAtMs === null ? null : isoOf(endsAtMs),
  }));
  return { path: "", body: { version: 1, fleet, alerts } };
}

/** Text without the characters that Slack reads as links and mentions. */
const escapedForSlack = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function slackMessage(notices: readonly Notice[], fleet: string): Message {
  const titles = { firing: "Alert", resolved: "Resolved", digest: "Cost", test: "Test" } as const;
  const lines = notices.map(({ status, severity, text }) =>
    status === "digest" ? `\`\`\`${text}\`\`\`` : `*${titles[status]}* (${severity}): ${escapedForSlack(text)}`,
  );
  return { path: "", body: { text: [`fleet ${escapedForSlack(fleet)}`, ...lines].join("\n").slice(0, 30_000) } };
}

const labelOf = (name: string) => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");

function alertmanagerMessage(notices: readonly Notice[], fleet: string, nowMs: number): Message {
  const body = notices
    // A digest is no alert.
    .filter(({ status }) => status !== "digest")
    .map(({ status, severity, rule, labels, summary, text, startsAtMs, endsAtMs }) => ({
      labels: {
        ...Object.fromEntries(Object.entries(labels).map(([name, value]) => [labelOf(name), value])),
        ...{ alertname: `thormesh-${rule}`, fleet, severity },
      },
      annotations: { summary, description: text },
      startsAt: isoOf(startsAtMs),
      endsAt: isoOf(status === "firing" ? nowMs + believedForMs : (endsAtMs ?? nowMs + 60_000)),
    }));
  return { path: "/api/v2/alerts", body };
}

/** Refused for good: the message, the address or the key is wrong. */
const isRefusal = (status: number) => status >= 400 && status < 500 && status !== 408 && status !== 429;

/** Creates the notifier of a configuration. Addresses and secrets are read when they are needed, so that they can be replaced. */
export function createNotifier(config: NotifierConfig, parts: NotifierParts): Notifier {
  const { name, kind } = config;
  const { fleetName, environment, timeoutMs = 10_000 } = parts;
  const fromEnvironment = (variable: string) => {
    const value = secretFromEnvironment(environment, variable);
    if (value === undefined) throw new Error(`the environment has no ${variable}`);
    return value;
  };
  const addressOf = (path: string) => {
    const base = config.url ?? fromEnvironment(config.urlEnv as string);
    if (!/^https?:$/.test(URL.parse(base)?.protocol ?? ""))
      throw new Error(`expected an http or https address in ${config.urlEnv}`);
    return new URL(base.replace(/\/+$/, "") + path);
  };
  const headersOf = (body: string, nowMs: number): Record<string, string> => {
    if (config.secretEnv === null || kind === "slack") return {};
    const secret = fromEnvironment(config.secretEnv);
    return kind === "webhook"
      ? { "x-thormesh-signature": signWebhook(body, secret, nowMs) }
      : { authorization: secret };
  };
  return {
    name,
    kind,
    async send(notices, nowMs, signal) {
      const { path, body } = {
        webhook: () => webhookMessage(notices, fleetName),
        slack: () => slackMessage(notices, fleetName),
        alertmanager: () => alertmanagerMessage(notices, fleetName, nowMs),
      }[kind]();
      if (Array.isArray(body) && body.length === 0) return;
      const url = addressOf(path);
      const text = JSON.stringify(body);
      const response = await fetchBounded(url, {
        ...{ method: "POST", body: text, timeoutMs, maxBytes: maxAnswerBytes, signal },
        // The time of the signature is the machine's: the receiver compares it with its own clock.
        headers: { "content-type": "application/json", ...headersOf(text, Date.now()) },
      });
      if (response.ok) return;
      // Only the host: the path of a Slack webhook is its secret.
      const message = `${url.host} answers ${response.status}`;
      throw isRefusal(response.status) ? new NotifierRefusalError(message) : new Error(message);
    },
  };
}
