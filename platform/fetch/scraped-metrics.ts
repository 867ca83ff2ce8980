import { Counter, Gauge, type Registry } from "prom-client";

/** Values of a metric, one for each set of labels. */
type LabelledValues = Iterable<readonly [labels: Record<string, string>, value: number]>;

/** Registers a gauge that is read at each scrape; null omits the sample, so that no old figure is shown. */
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

/** Registers a gauge with labels; samples that `read` does not name are removed. */
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

/** Registers a counter of totals that are counted elsewhere, by labels; a total that falls (it was reset) adds nothing. */
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
      const gone = new Set(counted.keys());
      for (const [labels, total] of totals()) {
        const key = JSON.stringify(labels);
        this.inc(labels, Math.max(0, total - (counted.get(key) ?? 0)));
        counted.set(key, total);
        gone.delete(key);
      }
      // A name that is no longer told, such as that of an erased tenant, must not stay.
      for (const key of gone) {
        this.remove(JSON.parse(key));
        counted.delete(key);
      }
    },
  });
}

/** Registers a counter without labels, as {@link registerTotals} does. */
export function registerTotal(registry: Registry, name: string, help: string, total: () => number): void {
  registerTotals(registry, name, help, [], () => [[{}, total()]]);
}
