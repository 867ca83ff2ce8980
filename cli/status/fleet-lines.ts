import type { FleetView } from "#controller/api/schemas.ts";
import type { Figure, FigureName } from "#controller/dashboard/figure.ts";
import { figureQuantity } from "#controller/dashboard/figure-text.ts";
import { cleanText } from "#platform/clean-text.ts";
import { formatNumber, quantityText } from "#platform/page/format.ts";
import type { Tone } from "#platform/terminal/paint.ts";

/** Piece of a line. */
export interface Span {
  readonly text: string;
  readonly tone?: Tone;
}

export type Line = readonly Span[];

/** Makes a line safe for a terminal: all of it may come from a hostile controller, its units and names of rules too. */
export const cleanLine = (line: Line): Line => line.map((span) => ({ ...span, text: cleanText(span.text) }));

/** Figures of a controller of an earlier version, which sends fewer of them. */
type GivenView = Omit<FleetView, "figures" | "alerts" | "freeze" | "policy"> &
  Partial<Pick<FleetView, "figures" | "alerts" | "freeze" | "policy">>;

const unitOf: Partial<Record<FigureName, string>> = {
  p95Ms: "ms",
  watts: "W",
  usdPerHour: "US$/h",
  maxTemperatureC: "°C",
};

/** Figure of the overview; of an earlier controller from the field that it sends. */
function figureIn(view: GivenView, name: FigureName): Figure {
  const given = view.figures?.[name];
  if (given !== undefined) return given;
  const {
    agents,
    qps = null,
    p95LatencyMs = null,
    watts = null,
    activeCapacityQps = null,
    forecastPeakQps = null,
  } = view;
  const old: Partial<Record<FigureName, number | null>> = {
    ...{ serving: agents.active, standby: agents.standby, draining: agents.draining, offline: agents.offline },
    ...{ textsPerS: qps, p95Ms: p95LatencyMs, watts, capacityTextsPerS: activeCapacityQps },
    forecastPeakTextsPerS: forecastPeakQps,
  };
  const unit = unitOf[name] ?? (name.endsWith("TextsPerS") || name === "textsPerS" ? "texts/s" : "");
  return { value: old[name] ?? null, unit, asOfMs: null, stale: false, note: null };
}

const timeOfDay = (atMs: number) => new Date(atMs).toISOString().slice(11, 19);

/** Text of a figure: what it lacks is a mark, and what is stale says its time. */
function figureSpan(figure: Figure): Span {
  const old = figure.stale && figure.asOfMs !== null ? ` (of ${timeOfDay(figure.asOfMs)})` : "";
  const text = `${quantityText(figureQuantity(figure))}${figure.note === null || figure.value === null ? "" : "*"}${old}`;
  return figure.stale || figure.value === null ? { text, tone: "faint" } : { text };
}

const plain = (text: string): Span => ({ text });
const lengthOf = (spans: Line) => spans.reduce((sum, { text }) => sum + [...text].length, 0);
const padded = (spans: Line, width: number): Line => [
  ...spans,
  plain(" ".repeat(Math.max(0, width - lengthOf(spans)))),
];

const labelWidth = 10;
const label = (text: string): Span => ({ text: text.padEnd(labelWidth), tone: "faint" });
/** Width of the left one of two columns: with it a line fits 80. */
const leftWidth = 39;

const bars = "▁▂▃▄▅▆▇█";

/** Course of values as bars, from 0 to the highest of `max` and them. */
export function sparkline(values: readonly number[], max = 0): string {
  const top = Math.max(max, ...values);
  return values.map((value) => bars[top <= 0 ? 0 : Math.min(7, Math.round((7 * Math.max(0, value)) / top))]).join("");
}

function headLine(view: GivenView): Line {
  const { fleet, agents, controller } = view;
  const standsBy = controller.role === "standing by" ? "; this controller stands by" : "";
  return [
    { text: `fleet ${fleet}`, tone: "title" },
    plain(`: ${agents.online} of ${agents.total} agents online, ${agents.active} active${standsBy}`),
    ...(controller.brokerConnected ? [] : [{ text: "; NO BROKER", tone: "bad" as const }]),
  ];
}

function countsLine(view: GivenView): Line {
  const of = (name: FigureName, tone: Tone): Span[] => {
    const { value } = figureIn(view, name);
    return [label(name), { text: formatNumber(value).padEnd(8), ...(value ? { tone } : {}) }];
  };
  return [
    ...of("standby", "title"),
    ...of("draining", "warning"),
    ...of("offline", "bad"),
    label("needed"),
    plain(formatNumber(figureIn(view, "needed").value)),
  ];
}

const refusals = [
  ["queue full", "refusedQueuePerS"],
  ["too late", "refusedDeadlinePerS"],
  ["failed", "refusedErrorPerS"],
  ["over quota", "refusedRateLimitPerS"],
  ["on standby", "refusedStandbyPerS"],
] as const;

function refusedSpans(view: GivenView): Span[] {
  const known = refusals.map(([name, key]) => ({ name, figure: figureIn(view, key) }));
  if (known.every(({ figure }) => figure.value === null)) return [{ text: "–", tone: "faint" }];
  const some = known.filter(({ figure }) => (figure.value ?? 0) > 0);
  if (some.length === 0) return [{ text: "none", tone: "good" }];
  return [{ text: some.map(({ name, figure }) => `${name} ${formatNumber(figure.value)}/s`).join(", "), tone: "bad" }];
}

/** Figures in two columns. */
function figureLines(view: GivenView): Line[] {
  const span = (name: FigureName) => figureSpan(figureIn(view, name));
  const [rate, capacity] = [figureIn(view, "textsPerS").value, figureIn(view, "capacityTextsPerS").value];
  const used = rate === null || !capacity ? [] : [plain(`, ${formatNumber((100 * rate) / capacity, 2)} % used`)];
  const [p95, target] = [figureIn(view, "p95Ms"), figureIn(view, "p95TargetMs")];
  const isLate = p95.value !== null && target.value !== null && p95.value > target.value;
  const promised = target.value === null ? [] : [plain(`, promised ${quantityText(figureQuantity(target))}`)];
  const row = (left: Line, right: Line): Line => [...padded(left, leftWidth), plain(" "), ...right];
  return [
    row([label("rate"), span("textsPerS")], [label("capacity"), span("capacityTextsPerS"), ...used]),
    row([label("peak"), span("forecastPeakTextsPerS")], [label("95 %"), span("forecastPeak95TextsPerS")]),
    row(
      [label("p95"), { ...span("p95Ms"), ...(isLate ? { tone: "bad" as const } : {}) }, ...promised],
      [label("hottest"), span("maxTemperatureC")],
    ),
    row([label("power"), span("watts")], [label("cost"), span("usdPerHour")]),
    [label("refused"), ...refusedSpans(view)],
  ];
}

function forecastLine({ forecast }: GivenView, withBars: boolean): Line {
  if (forecast === null || forecast === undefined) return [label("forecast"), { text: "none", tone: "faint" }];
  const { qps, qps95 = [], stepMs, model } = forecast;
  const minutes = Math.round((qps.length * stepMs) / 60_000);
  const course = withBars ? `${sparkline(qps.slice(0, maxBars), Math.max(0, ...qps95))} ` : "";
  return [label("forecast"), plain(`${course}next ${minutes} min by ${model}`)];
}

/** Bars that fit beside their label and words. */
const maxBars = 30;

function noteLines(view: GivenView): Line[] {
  const names = ["textsPerS", "capacityTextsPerS", "watts", "usdPerHour"] as const;
  const notes = names.flatMap((name) => figureIn(view, name).note ?? []);
  return notes.length === 0 ? [] : [[{ text: `* ${[...new Set(notes)].join("; ")}`, tone: "faint" }]];
}

function orderLines({ latestDecision, freeze = null, rollout = null, policy = null }: GivenView): Line[] {
  const lines: Line[] = [];
  if (latestDecision !== null)
    lines.push([
      label("decision:"),
      plain(`${latestDecision.kind} (${latestDecision.rule}): ${latestDecision.reason}`),
    ]);
  if (freeze !== null) {
    const until = freeze.untilMs === null ? "" : ` until ${new Date(freeze.untilMs).toISOString().slice(0, 16)}Z`;
    lines.push([{ text: `FROZEN by an operator${until}: ${freeze.reason}`, tone: "warning" }]);
  }
  if (rollout !== null) {
    const { version, state, wave, waves, reason } = rollout;
    const text = `roll-out of ${version}: ${state}, wave ${wave} of ${waves}; ${reason}`;
    lines.push([state === "halted" ? { text, tone: "bad" } : plain(text)]);
  }
  if (policy !== null) lines.push([plain(`policy: ${policy.name} (${policy.mode})`)]);
  if (policy !== null && policy.problem !== null)
    lines.push([{ text: `  the policy file is not in force; an earlier version is: ${policy.problem}`, tone: "bad" }]);
  return lines;
}

/** Alerts that are listed; the rest is counted. */
const maxAlerts = 5;

function alertLines(view: GivenView): Line[] {
  const firing = (view.alerts ?? []).filter(({ status }) => status === "firing");
  const all = figureIn(view, "alertsFiring").value ?? firing.length;
  const lines: Line[] = firing
    .slice(0, maxAlerts)
    .map(({ severity, text, silenced }) => [
      { text: severity.toUpperCase().padEnd(labelWidth), tone: severity === "critical" ? "bad" : "warning" },
      plain(text),
      ...(silenced ? [{ text: " (silenced)", tone: "faint" as const }] : []),
    ]);
  const more = all - lines.length;
  return more > 0 ? [...lines, [plain(`and ${more} more: thormesh alerts`)]] : lines;
}

/** Shows the fleet's figures, what was decided and what is wrong, in lines of 80 characters but for texts that are longer. */
export function fleetLines(view: GivenView, { withBars = false }: { readonly withBars?: boolean } = {}): Line[] {
  const { asOfMs } = figureIn(view, "textsPerS");
  const lines: Line[] = [
    asOfMs === null ? headLine(view) : [...headLine(view), { text: `  as of ${timeOfDay(asOfMs)}Z`, tone: "faint" }],
    countsLine(view),
    ...figureLines(view),
    forecastLine(view, withBars),
    ...noteLines(view),
    ...orderLines(view),
    ...alertLines(view),
  ];
  return lines.map(cleanLine);
}

/** Text of a line without colours. */
export const lineText = (line: Line): string =>
  line
    .map(({ text }) => text)
    .join("")
    .trimEnd();
