import type { FleetView } from "#controller/api/schemas.ts";
import type { ControllerLocalView } from "#controller/local/controller-door.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { lasted } from "./device-lines.ts";
import { cleanLine, type Line } from "./fleet-lines.ts";

const labelWidth = 10;
const eventsShown = 5;

const line = (name: string, text: string): Line => [{ text: name.padEnd(labelWidth), tone: "faint" }, { text }];
const counted = (names: ControllerLocalView["models"], none: string) =>
  names.length === 0 ? none : names.map(([name, agents]) => `${name} (${agents})`).join(", ");

function programLine({ nowMs, controller }: FleetView): Line {
  const { version, startedAtMs, role, leader } = controller;
  const why =
    role === "standing by"
      ? `standing by: ${leader ?? "another controller"} leads`
      : "leading: it decides for the fleet";
  return line("thormesh", `${version}, up ${lasted(nowMs - startedAtMs)}; ${why}`);
}

function localLines(view: FleetView, local: ControllerLocalView): Line[] {
  const { brokerUrl, problems, models, modes, waitingRecords, url } = local;
  const broker = brokerUrl === null ? "a broker" : redactUrl(brokerUrl);
  return [
    line("models", counted(models, "none loaded")),
    line("modes", counted(modes, "none reported")),
    line("outbox", `${waitingRecords} records wait at the agents`),
    view.controller.brokerConnected
      ? line("broker", `connected to ${broker}`)
      : [{ text: "broker".padEnd(labelWidth) }, { text: `NOT connected to ${broker}`, tone: "bad" }],
    line("API", redactUrl(url)),
    ...problems.map((problem): Line => [{ text: "PROBLEM".padEnd(labelWidth), tone: "bad" }, { text: problem }]),
  ];
}

/** Newest lines of the controller's log. */
export const controllerEvents = ({ events }: ControllerLocalView): Line[] =>
  events.slice(-eventsShown).map(({ time, level, msg }) => cleanLine(line(time.slice(11, 19), `${level} ${msg}`)));

/**
 * Shows the controller itself: its version, since when it runs, whether it leads, and what it is connected to.
 * @param local what the controller's own machine is told; null: it was asked from elsewhere
 */
export function controllerLines(view: FleetView, local: ControllerLocalView | null): Line[] {
  const lines = [programLine(view), ...(local === null ? [] : localLines(view, local))];
  return lines.map(cleanLine);
}
