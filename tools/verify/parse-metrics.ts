/** Metric of Prometheus' text format, with all its series. */
export interface MetricFamily {
  readonly type: string;
  /** Empty without one. */
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
  counter: [""],
  gauge: [""],
  untyped: [""],
};
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < text.length) {
    const pair = labelPair.exec(text);
    if (pair === null) throw new Error(`labels that can't be read: ${text}`);
    labels[pair[1] as string] = (pair[2] as string).replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
  }
  return labels;
}

/**
 * Reads Prometheus' text format as strictly as a scraper may: every sample belongs to a family that was announced before it with
 * TYPE, and HELP before that if it has one, no series comes twice, a histogram's buckets rise and end with +Inf, which is its count.
 * @throws Error naming the line that is wrong.
 */
export function parseMetrics(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>();
  const series = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let current: { name: string; family: MetricFamily } | undefined;
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") help = { name, text: rest };
    else if (keyword === "TYPE") {
      if (families.has(name) || !Object.hasOwn(suffixes, rest)) throw new Error(`unexpected: ${line}`);
      current = { name, family: { type: rest, help: help?.name === name ? help.text : "", samples: [] } };
      families.set(name, current.family);
    } else {
      const [, sample = "", labelText = "", number = ""] = sampleLine.exec(line) ?? [];
      const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
      const owned = current && suffixes[current.family.type]?.some((suffix) => sample === current?.name + suffix);
      if (!owned || number === "" || (Number.isNaN(value) && number !== "NaN") || series.has(`${sample}{${labelText}}`))
        throw new Error(`unexpected: ${line}`);
      series.add(`${sample}{${labelText}}`);
      current?.family.samples.push({ name: sample, labels: readLabels(labelText), value });
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

function checkHistogram(name: string, { samples }: MetricFamily): void {
  const keyOf = ({ le: _, ...labels }: Record<string, string>) => JSON.stringify(labels);
  for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter(
      (sample) => sample.name === `${name}_bucket` && keyOf(sample.labels) === keyOf(count.labels),
    );
    const values = buckets.map(({ value }) => value);
    const rising = values.every((value, i) => i === 0 || value >= (values[i - 1] as number));
    if (!rising || buckets.at(-1)?.labels["le"] !== "+Inf" || values.at(-1) !== count.value)
      throw new Error(`the buckets of ${name} do not add up`);
  }
}
