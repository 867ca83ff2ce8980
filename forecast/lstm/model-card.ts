import type { Evaluation } from "#forecast/judge/evaluate-forecasts.ts";
import type { LstmShape } from "./lstm-shapes.ts";
import type { BackendChoice } from "./tensorflow.ts";
import type { EpochReport } from "./train-lstm.ts";

/** Facts about a trained model that its users need before they rely on it. */
export interface ModelCard {
  readonly name: string;
  readonly trainedAt: string;
  readonly data: {
    readonly file: string;
    readonly sha256: string;
    readonly from: string;
    readonly to: string;
    readonly minutes: number;
    readonly missingMinutes: number;
    /** Runs of zeros taken for an outage and left out: "1995-07-13T23:49:00.000Z, 22 min". */
    readonly outages: readonly string[];
    /** Source as given; null: none was. */
    readonly source: string | null;
    readonly licence: string | null;
    readonly timeZone: string;
    readonly holidays: readonly string[];
  };
  readonly split: { readonly train: number; readonly validation: number; readonly test: number };
  readonly training: LstmShape & {
    readonly parameters: number;
    readonly optimizer: string;
    readonly loss: string;
    readonly batchSize: number;
    readonly stride: number;
    readonly seed: number;
    readonly epochs: readonly EpochReport[];
    readonly bestEpoch: number;
    readonly ended: string;
    readonly durationS: number;
    readonly backend: BackendChoice;
  };
  /** Errors on the test part, which training never saw; the model's first. */
  readonly errors: readonly Evaluation[];
  readonly poissonFloorPercent: number | null;
  readonly verdict: Verdict;
}

export interface Verdict {
  readonly beatsBaselines: boolean;
  readonly text: string;
}

/** Compares a model with the best baseline in MAE over all minutes (the same order as in WAPE: both are on the same values). */
export function judgeModel(model: Evaluation, baselines: readonly Evaluation[]): Verdict {
  const best = [...baselines].sort((a, b) => a.minutes.mae - b.minutes.mae)[0];
  if (best === undefined) throw new RangeError("there is no baseline to compare with");
  const show = ({ name, minutes }: Evaluation) => `${name} MAE ${minutes.mae.toPrecision(3)}`;
  const beatsBaselines = model.minutes.mae < best.minutes.mae;
  const percent = (100 * Math.abs(1 - model.minutes.mae / best.minutes.mae)).toFixed(1);
  return {
    beatsBaselines,
    text: beatsBaselines
      ? `The model's error is ${percent} % lower than the best simple forecast's (${show(model)}, ${show(best)}).`
      : `The model does NOT beat the best simple forecast (${show(model)}, ${show(best)}): the simple one is the better choice.`,
  };
}

const percent = (value: number | null) => (value === null ? "–" : value.toFixed(1));
const decimal = (value: number | null) => (value === null ? "–" : value.toFixed(3));

function errorRow({ name, minutes, peaks }: Evaluation): string {
  return `| ${name} | ${minutes.mae.toPrecision(3)} | ${percent(minutes.wapePercent)} | ${percent(minutes.mapePercent)} | ${decimal(minutes.r2)} | ${minutes.bias.toPrecision(2)} | ${percent(peaks.wapePercent)} | ${peaks.bias.toPrecision(2)} |`;
}

export function renderModelCard(card: ModelCard): string {
  const { data, training, split } = card;
  const zeros = card.errors[0]?.minutes.zeros ?? 0;
  const lines = [
    `# ${card.name}`,
    "",
    card.verdict.text,
    "",
    "## Errors on the held-out newest 15 %",
    `${split.test} forecasts of 15 minutes each, requests per second; the same forecasts for each row.`,
    "",
    "| forecast | MAE | WAPE % | MAPE % | R² | bias | peak WAPE % | peak bias |",
    "|---|---|---|---|---|---|---|---|",
    ...card.errors.map(errorRow),
    "",
    `MAPE leaves out ${zeros} minutes without a request. Peak: the highest of the 15 minutes, actual against forecast.`,
    card.poissonFloorPercent === null
      ? "The test part has no traffic."
      : `The noise of independent requests alone costs any forecaster about ${percent(card.poissonFloorPercent)} % WAPE here (one-minute counts).`,
    "",
    "## Data",
    `- ${data.file}, sha256 ${data.sha256}`,
    `- ${data.from} to ${data.to}: ${data.minutes} minutes, ${data.missingMinutes} of them missing`,
    `- Source: ${data.source ?? "not given"}; licence: ${data.licence ?? "not given"}`,
    `- Runs of zeros treated as outages and left out: ${data.outages.length === 0 ? "none" : data.outages.join("; ")}`,
    `- Calendar: ${data.timeZone}, holidays ${data.holidays.length === 0 ? "none" : data.holidays.join(", ")}`,
    `- Split by time 70/15/15: ${split.train} windows to train, ${split.validation} to choose the epoch, ${split.test} to judge`,
    "",
    "## Model and training",
    `- Input 60 minutes × (rate, hour, day of week, weekend, holiday); output the 15 minutes after them`,
    `- LSTM ${training.lstmUnits.join("/")}, dropout ${training.dropout}, dense ${training.denseUnits}, 15 outputs: ${training.parameters} parameters`,
    "- Rates are divided by the window's own mean, and the output corrects the mean of its last 30 minutes, so that any scale of traffic works",
    `- ${training.optimizer}, ${training.loss}, batches of ${training.batchSize}, one window in ${training.stride} in each epoch, seed ${training.seed}`,
    `- ${training.epochs.length} epochs, the best was ${training.bestEpoch}; ended: ${training.ended}`,
    `- ${card.trainedAt}, ${training.durationS.toFixed(0)} s on ${training.backend.backend} (${training.backend.reason})`,
    "",
  ];
  return lines.join("\n");
}
