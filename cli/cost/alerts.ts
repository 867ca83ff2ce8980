import type { Alert } from "#controller/alerts/decide-alert.ts";
import type { NotifierStatus } from "#controller/alerts/notify/notice-queue.ts";
import type { Silence } from "#controller/alerts/silence.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";
import { reasonOf, reasonOption } from "../access/with-controller-store.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";

interface AlertsAnswer {
  readonly alerts: readonly (Alert & { readonly silenced: boolean; readonly text: string })[];
  readonly silences: readonly Silence[];
  readonly notifiers: readonly NotifierStatus[];
}

const isoOf = (timeMs: number) => `${new Date(timeMs).toISOString().slice(0, 16)}Z`;

/** Shows alerts, silences and notifiers. */
export function alertsToText({ alerts, silences, notifiers }: AlertsAnswer): string {
  const lines = alerts.flatMap(({ status, severity, rule, silenced, text }) => [
    `${status.toUpperCase()} ${rule} (${severity}${silenced ? ", silenced" : ""})`,
    wrapText(`  ${cleanText(text)}`, 80),
  ]);
  const told = notifiers.map(({ name, kind, sent, queued, failures, dropped, lastError }) => [
    ...[name, kind, String(sent), String(queued), String(failures), String(dropped), cleanText(lastError ?? "-")],
  ]);
  const quiet = silences.map(({ id, rule, labels, untilMs, reason, by }) => {
    const of = labels.map(({ name, value }) => `${name}=${value}`);
    return [id, cleanText([rule ?? "any", ...of].join(" ")), isoOf(untilMs), cleanText(by), cleanText(reason)];
  });
  return [
    ...(lines.length === 0 ? ["no alerts"] : lines),
    ...(quiet.length === 0 ? [] : ["", formatTable(["SILENCE", "OF", "UNTIL", "BY", "REASON"], quiet)]),
    "",
    told.length === 0
      ? "nobody is notified: alerts.notifiers is empty in the configuration"
      : formatTable(["NOTIFIER", "KIND", "SENT", "WAITING", "FAILED", "DROPPED", "LAST ERROR"], told),
  ].join("\n");
}

async function list(values: OptionValues): Promise<number> {
  const answer = (await askController(values, "/api/v1/alerts")) as AlertsAnswer;
  console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : alertsToText(answer));
  return 0;
}

async function silence(values: OptionValues, rest: readonly string[]): Promise<number> {
  const [rule, ...labels] = rest;
  if (rule === undefined) throw new UsageError("expected a rule or any, then labels such as tenant=shop");
  const reason = optionalString(values, "reason");
  if (reason === undefined) throw new UsageError("--reason is required");
  const hours = optionalNumber(values, "hours", { min: 0.01, max: 90 * 24 }) ?? 4;
  const body = {
    ...(rule === "any" ? {} : { rule }),
    labels: labels.map((label) => {
      const [, name, value] = /^([a-z][a-z0-9-]*)=(.*)$/.exec(label) ?? [];
      if (name === undefined) throw new UsageError(`expected a label such as tenant=shop, got "${label}"`);
      return { name, value };
    }),
    ...{ reason, forS: Math.max(1, Math.round(hours * 3600)) },
  };
  const answer = (await askController(values, "/api/v1/silences", { method: "POST", body })) as {
    readonly silence: Silence;
  };
  const { id, untilMs } = answer.silence;
  console.log(
    values["json"] === true ? JSON.stringify(answer, null, 2) : `silence ${id} lasts until ${isoOf(untilMs)}`,
  );
  return 0;
}

export const alertsCommand: Command = {
  summary: "list, silence or test alerts on cost and service",
  usage:
    "list\n       thormesh alerts silence RULE|any [LABEL=VALUE…] --reason TEXT [--hours N]\n       thormesh alerts unsilence ID\n       thormesh alerts test\n       each with [--url URL] [--json]",
  examples: ["thormesh alerts list", "thormesh alerts test"],
  options: {
    hours: { only: "silence", value: "N", help: "how many hours the silence lasts (default: 4)" },
    ...controllerUrlOption,
    ...reasonOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    switch (action) {
      case "list":
        if (rest.length > 0) throw new UsageError(`alerts list: expected nothing more, got "${rest.join(" ")}"`);
        return list(values);
      case "silence":
        return silence(values, rest);
      case "unsilence": {
        const [id, ...more] = rest;
        if (id === undefined || more.length > 0)
          throw new UsageError(`expected the id of one silence, got "${rest.join(" ")}"`);
        await askController(values, `/api/v1/silences/${encodeURIComponent(id)}`, {
          ...{ method: "DELETE", ...reasonOf(values) },
        });
        console.log(values["json"] === true ? JSON.stringify({ ended: id }) : `silence ${id} has ended`);
        return 0;
      }
      case "test": {
        if (rest.length > 0) throw new UsageError(`alerts test: expected nothing more, got "${rest.join(" ")}"`);
        const { told } = (await askController(values, "/api/v1/alerts/test", { method: "POST" })) as {
          readonly told: number;
        };
        console.log(
          values["json"] === true
            ? JSON.stringify({ told })
            : `${told} notifiers are being sent a test; thormesh alerts list shows whether they accepted it`,
        );
        return 0;
      }
      default:
        throw unexpectedWord("list, silence, unsilence or test", action, ["list", "silence", "unsilence", "test"]);
    }
  },
};
