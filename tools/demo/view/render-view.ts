import type { AgentSnapshot, DemoSnapshot, EnergyAndCost, TrainingSnapshot } from "./snapshot.ts";

const width = 100;
const shownDecisions = 4;
const linesOfReason = 3;

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** Widths of the table's columns; those from the fifth on hold numbers. */
const columnWidths = [14, 15, 9, 11, 5, 8, 5, 8, 6];
const firstNumber = 4;

function row(...texts: readonly string[]): string {
  const cells = texts.map((text, column) => {
    const length = columnWidths[column] as number;
    return column < firstNumber ? clip(text, length).padEnd(length) : clip(text, length).padStart(length);
  });
  return cells.join(" ").trimEnd();
}

/** Wraps a text between words, and cuts it after `maxLines`. */
function wrap(text: string, length: number, maxLines: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > length && lines.length < maxLines - 1) {
    const space = rest.lastIndexOf(" ", length);
    const end = space > 0 ? space : length;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, clip(rest, length)];
}

const thousands = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

function rate(qps: number | null, requestsPerRealRequest: number): string {
  return qps === null ? "-" : thousands.format(qps * requestsPerRealRequest);
}

function milliseconds(ms: number | null): string {
  return ms === null ? "-" : ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0);
}

/** Formats minutes and seconds: "3:07". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Formats date and minute: "Thu 27 Jul 1995 14:32". */
export function formatClock(atMs: number): string {
  const [weekday = "", day = "", month = "", year = "", time = ""] = new Date(atMs).toUTCString().split(/,? /);
  return `${weekday} ${day} ${month} ${year} ${time.slice(0, 5)}`;
}

function bar(share: number, length: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * length);
  return "█".repeat(filled) + "░".repeat(length - filled);
}

/** Formats an amount, small ones with fractions of a cent: a day of a few boards costs cents. */
function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
}

function energy(amounts: EnergyAndCost): string {
  return `${amounts.energyKwh.toFixed(3)} kWh = ${dollars(amounts.energyUsd)}`;
}

function saving(run: number, reference: number): string {
  return reference > 0 ? `${((1 - run / reference) * 100).toFixed(0)} % less` : "no difference yet";
}

function agentLine(agent: AgentSnapshot, requestsPerRealRequest: number): string {
  const share = agent.qps !== null && agent.capacityQps ? agent.qps / agent.capacityQps : null;
  return row(
    agent.agentId,
    agent.board,
    agent.online ? agent.role : "offline",
    agent.powerMode ?? "-",
    agent.watts === null ? "-" : agent.watts.toFixed(0),
    rate(agent.qps, requestsPerRealRequest),
    share === null ? "-" : `${(share * 100).toFixed(0)}%`,
    rate(agent.forecastPeakQps, requestsPerRealRequest),
    milliseconds(agent.p95LatencyMs),
  );
}

function trainingLine({ agentId, state, reason, epoch, loss, last }: TrainingSnapshot): string {
  const now =
    state === "waiting" ? reason : `${state}, epoch ${epoch ?? 0}${loss === null ? "" : `, loss ${loss.toFixed(4)}`}`;
  return `training ${agentId}: ${last === null ? now : `${state === "waiting" ? "" : `${now}; before: `}${last.kind}: ${last.reason}`}`;
}

function total(agents: readonly AgentSnapshot[], value: (agent: AgentSnapshot) => number | null): number | null {
  const known = agents.map(value).filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}

/** Renders the terminal view in up to 100 columns. Rates are those of the full-size fleet unless they say "sent". */
export function renderView(snapshot: DemoSnapshot): string[] {
  const { agents, traffic, scale, cost, forecast } = snapshot;
  const n = scale.requestsPerRealRequest;
  const online = agents.filter((agent) => agent.online);
  const active = online.filter((agent) => agent.role === "active");
  const latency = traffic.latencyMs;
  const peak = rate(forecast?.peakQps ?? null, n);
  const watts = total(agents, (agent) => agent.watts)?.toFixed(0) ?? "-";
  const fleetQps = total(agents, (agent) => agent.qps);
  const lines = [
    `thormesh demo  ${formatClock(snapshot.clockMs)} UTC  ${bar(snapshot.progress, 24)} ${(snapshot.progress * 100).toFixed(0)} %  ` +
      `${formatDuration(snapshot.elapsedS)} at ${snapshot.speed.toFixed(0)}x`,
    "",
    `traffic  ${thousands.format((snapshot.sentQps / snapshot.speed) * n)} requests/s of the fleet; ${snapshot.sentQps.toFixed(0)}/s actually sent, ` +
      `each stands for ${thousands.format(n)}`,
    `         ${thousands.format(traffic.requests)} answered, ${traffic.errors} errors, ${traffic.retries} retries; ` +
      `p50 ${milliseconds(latency.p50)}, p95 ${milliseconds(latency.p95)}, p99 ${milliseconds(latency.p99)} ms`,
    "",
    row("AGENT", "BOARD", "ROLE", "MODE", "WATTS", "REQ/S", "LOAD", "FORECAST", "P95 MS"),
    ...agents.map((agent) => agentLine(agent, n)),
    [
      row("fleet", "", `${active.length}/${agents.length} on`, "", watts, rate(fleetQps, n), "", peak),
      ...(forecast === null ? [] : [clip(`(${forecast.model})`, 16)]),
    ].join(" "),
    "",
    ...(cost === null
      ? ["energy   nothing measured yet"]
      : [
          `energy   ${energy(cost.run)}; all on at full power ${energy(cost.reference)} ` +
            `(${saving(cost.run.energyKwh, cost.reference.energyKwh)})`,
          `cost     ${dollars(cost.run.costUsd)}, ${dollars(cost.run.amortisationUsd)} of it for owning the boards, on or off; ` +
            `all on ${dollars(cost.reference.costUsd)}`,
        ]),
    ...snapshot.trainings.map(trainingLine),
    "",
    `last decisions (rates as sent; times ${thousands.format(n)} for the fleet)`,
    ...snapshot.decisions
      .slice(-shownDecisions)
      .reverse()
      .flatMap((decision) => {
        const time = new Date(decision.atMs).toISOString().slice(11, 16);
        return wrap(`${time} ${decision.kind}: ${decision.reason}`, width - 4, linesOfReason).map((line, index) =>
          index === 0 ? `  ${line}` : `    ${line}`,
        );
      }),
  ];
  return lines.map((line) => clip(line, width));
}

/** Renders a line of progress, for a log. */
export function renderProgress(snapshot: DemoSnapshot): string {
  const { agents, traffic, cost, scale } = snapshot;
  const active = agents.filter((agent) => agent.online && agent.role === "active");
  const modes = active.map((agent) => agent.powerMode ?? "?").join(" ");
  return [
    `${formatClock(snapshot.clockMs)} (${(snapshot.progress * 100).toFixed(0)} %)`,
    `${snapshot.sentQps.toFixed(0)} requests/s sent`,
    `${traffic.requests} answered`,
    `${traffic.errors} errors`,
    `p95 ${milliseconds(traffic.latencyMs.p95)} ms`,
    `${active.length}/${agents.length} active (${modes})`,
    `forecast peak ${rate(snapshot.forecast?.peakQps ?? null, scale.requestsPerRealRequest)}/s`,
    cost === null ? "cost -" : `${cost.run.energyKwh.toFixed(3)} kWh $${cost.run.costUsd.toFixed(4)}`,
  ].join(", ");
}
