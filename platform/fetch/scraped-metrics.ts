import { Counter, Gauge, type Registry } from "prom-client";

/** A metric's values, label by label. */
export type LabelledValues = Iterable<readonly [labels: Record<string, string>, value: number]>;

/** A gauge that asks at each scrape; null leaves the sample out, for an old figure must not pass for the present one. */
export function registerGauge(registry: Registry, name: string, help: string, read: () => number | null): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      const value = read();
      if (value === null) this.remove();
      else this.set(value);
    },
  });
}

/** The same with labels: a sample that `read` does not name has gone. */
export function registerGauges(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => LabelledValues | Promise<LabelledValues>,
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      const values = await read();
      this.reset();
      for (const [labels, value] of values) this.set(labels, value);
    },
  });
}

/** A counter that follows, label by label, totals counted elsewhere; one that falls back (its counting began anew) adds nothing. */
export function registerTotals(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  totals: () => LabelledValues,
): void {
  const counted = new Map<string, number>();
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      for (const [labels, total] of totals()) {
        const key = JSON.stringify(labels);
        this.inc(labels, Math.max(0, total - (counted.get(key) ?? 0)));
        counted.set(key, total);
      }
    },
  });
}

/** The same without labels. */
export function registerTotal(registry: Registry, name: string, help: string, total: () => number): void {
  registerTotals(registry, name, help, [], () => [[{}, total()]]);
}
