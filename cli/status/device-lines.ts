import type { LocalView } from "#agent/local/local-door.ts";
import { cleanText } from "#platform/clean-text.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { minuteMs } from "#platform/time.ts";

const eventsShown = 5;
const label = (name: string, text: string) => `${name.padEnd(11)} ${text}`;
const figure = (value: number | null, digits: number, unit: string) =>
  value === null ? `? ${unit}` : `${value.toFixed(digits)} ${unit}`;

/** Time in the two largest units that it has: "3 d 4 h". */
export function lasted(ms: number): string {
  const minutes = Math.floor(ms / minuteMs);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${rest} min` : `${rest} min`;
}

function powerLines({ status: { power } }: LocalView): string[] {
  const { sample, mode, lastDecision } = power;
  if (power.board === "none") return [label("power", "no board: power is neither measured nor controlled")];
  const reason = (lastDecision as { readonly reason?: string } | null)?.reason;
  const watts = sample?.inputPowerMw == null ? null : sample.inputPowerMw / 1000;
  return [
    label("mode", `${mode ?? "unknown"}${reason === undefined ? "" : `: ${reason}`}`),
    label("power", `${figure(watts, 1, "W")}, ${figure(sample?.junctionTemperatureC ?? null, 0, "°C")}`),
    ...power.faults.map(({ fault, reason: why }) => label("FAULT", `${fault}: ${why}`)),
  ];
}

function forecastLine({ status: { forecast, forecaster } }: LocalView): string {
  if (forecast === null) return label("forecast", `none yet (${forecaster.model})`);
  const peak = forecast.peakQps?.q50 ?? Math.max(...forecast.qps);
  const minutes = Math.round((forecast.qps.length * forecast.stepMs) / minuteMs);
  return label("forecast", `peak ${peak.toFixed(1)} texts/s in ${minutes} min (${forecast.model})`);
}

/** Shows how the agent of this machine is, on one screen. */
export function deviceToText(view: LocalView): string {
  const { status, minute, models, events } = view;
  const { role, broker, outbox, storage } = status;
  const last =
    minute === null
      ? "no whole minute yet"
      : `last minute ${minute.qps.toFixed(1)} texts/s, p95 ${figure(minute.p95LatencyMs, 0, "ms")}, ${minute.errors} errors, ${minute.rejected} refused`;
  const link = broker.connected
    ? `connected to ${redactUrl(broker.url)} (MQTT ${broker.protocol})`
    : `NOT connected to ${redactUrl(broker.url)}${broker.problem === null ? "" : `: ${broker.problem}`}`;
  const lines = [
    `${status.agentId}: thormesh ${status.version}, up ${lasted(status.nowMs - status.startedAtMs)}, fleet ${status.fleet}`,
    label("role", `${role.role}: ${role.reason}`),
    label("models", models.length === 0 ? "none loaded" : models.join(", ")),
    label("traffic", `${figure(status.liveQps, 1, "texts/s")} now; ${last}`),
    ...powerLines(view),
    forecastLine(view),
    label("broker", link),
    label("controller", status.controllerOnline ? "online" : "not heard from"),
    label("outbox", `${outbox.entries} records waiting, ${outbox.droppedRecords} dropped`),
    ...(storage.failing === null ? [] : [label("DISK", storage.failing.reason)]),
    ...events.slice(-eventsShown).map(({ time, level, msg }) => label(time.slice(11, 19), `${level} ${msg}`)),
  ];
  return lines.map((line) => cleanText(line)).join("\n");
}
