import type { MetricFamily } from "#tools/verify/parse-metrics.ts";

/** Units that Prometheus asks to be given in their base unit. */
const otherUnits = /_(minutes|hours|days|weeks|kelvins|fahrenheit|inches|yards|miles|bits|calories|pounds|ounces)(_|$)/;
const prefixedUnits =
  /_(pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi)(amperes|bytes|celsius|grams|joules|meters|metres|seconds|volts)(_|$)/;
const abbreviations = /_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)$/;

/** Labels that only metrics of one type have. */
const keptLabels = { le: "histogram", quantile: "summary" };

/** Lists what is against Prometheus' rules for names, as `promtool check metrics` has them; empty: nothing. */
export function lintMetrics(families: ReadonlyMap<string, MetricFamily>): string[] {
  const faults: string[] = [];
  for (const [name, { type, help, samples }] of families) {
    const fault = (text: string) => faults.push(`${name}: ${text}`);
    if (help.trim() === "") fault("no help");
    if (type === "counter" && !name.endsWith("_total")) fault('counters should have "_total" suffix');
    if (type !== "counter" && name.endsWith("_total")) fault('non-counter metrics should not have "_total" suffix');
    if (type !== "histogram" && name.endsWith("_bucket")) fault('non-histograms should not have "_bucket" suffix');
    if (!["histogram", "summary"].includes(type) && /_(count|sum)$/.test(name)) fault('no "_count" or "_sum" suffix');
    if (!/^[a-z][a-z0-9_]*$/.test(name)) fault("should be snake_case");
    if (new RegExp(`(^|_)${type}(_|$)`).test(name)) fault("should not include its type");
    if (otherUnits.test(name) || prefixedUnits.test(name)) fault("use the base unit");
    for (const [label, kind] of Object.entries(keptLabels))
      if (type !== kind && samples.some(({ labels }) => label in labels))
        fault(`only a ${kind} should have the label ${label}`);
    if (abbreviations.test(name)) fault("should not contain abbreviated units");
    for (const { labels } of samples)
      for (const label of Object.keys(labels)) if (!/^[a-z][a-z0-9_]*$/.test(label)) fault(`label ${label}`);
  }
  return faults;
}

/** Writes families as text, those without a sample with one: a name is judged only with a sample. */
export function withSamples(text: string, families: ReadonlyMap<string, MetricFamily>): string {
  return [...families].reduce((whole, [name, { type, samples }]) => {
    if (samples.length > 0) return whole;
    const line = `# TYPE ${name} ${type}\n`;
    const sample =
      type === "histogram" ? `${name}_bucket{le="+Inf"} 0\n${name}_sum 0\n${name}_count 0\n` : `${name} 0\n`;
    return whole.replace(line, line + sample);
  }, text);
}
