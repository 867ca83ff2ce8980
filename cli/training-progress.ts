import { Presets, SingleBar } from "cli-progress";
import type { TrainingEvents } from "#agent/forecast/train-lstm.ts";

/** Shows training: a bar that moves with every batch on a terminal, a line an epoch elsewhere. */
export function createTrainingProgress(
  output: NodeJS.WriteStream,
  epochs: number,
): Required<TrainingEvents> & { finish(): void } {
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          hideCursor: true,
          clearOnComplete: true,
          format: `epoch {epoch}/${epochs} {bar} {percentage}% | loss {loss} | {eta_formatted} left in this epoch`,
        },
        Presets.shades_classic,
      )
    : undefined;
  let shownEpoch = 0;
  return {
    onBatch(epoch, batch, batches, loss) {
      if (bar === undefined) return;
      const payload = { epoch, loss: loss.toFixed(5) };
      if (epoch !== shownEpoch) bar.start(batches, batch, payload);
      else bar.update(batch, payload);
      shownEpoch = epoch;
    },
    onEpoch({ epoch, trainingLoss, validationLoss, elapsedMs, outcome }) {
      bar?.stop();
      const losses = `loss ${trainingLoss.toFixed(5)}, validation ${validationLoss.toFixed(5)}`;
      output.write(`epoch ${epoch}/${epochs}: ${losses}, ${(elapsedMs / 1000).toFixed(0)} s, ${outcome}\n`);
    },
    finish() {
      bar?.stop();
    },
  };
}
