/** Advice by which less would be paid. */
export interface Saving {
  readonly kind:
    | "sleep"
    | "power-mode"
    | "unused-model"
    | "storage-class"
    | "cdn-class"
    | "provisioned"
    | "dns-interval"
    | "retention"
    | "trace-sampling"
    | "committed"
    | "cheaper-place";
  /** Agent, model or service that it is about. */
  readonly target: string;
  readonly action: string;
  readonly evidence: string;
  readonly yearlyUsd: number;
  readonly risk: "low" | "medium" | "high";
  readonly effort: "low" | "medium" | "high";
}

/** Advice that saves less a year is not given. */
export const minYearlyUsd = 0.01;

export const usd = (amount: number) => `${amount.toFixed(2)} $`;
export const figure = (value: number) => Number(value.toPrecision(4)).toString();
