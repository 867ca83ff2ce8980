import { Presets, SingleBar } from "cli-progress";
import type { TrainingEvents } from "#forecast/lstm/train-lstm.ts";
import { minuteMs } from "#platform/time.ts";

/** Shows the progress of a training: a bar that moves with every batch on a terminal, a line per epoch elsewhere. */
export function createTrainingProgress(
  output: NodeJS.WriteStream,
  epochs: number,
): Required<Omit<TrainingEvents, "beforeBatch">> & { finish(): void } {
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          hideCursor: true,
          clearOnComplete: true,
          format: `epoch {epoch}/${epochs} {bar} {percentage}% | loss {loss} | {eta_formatted} left in this epoch, at most {left} in all`,
        },
        Presets.shades_classic,
      )
    : undefined;
  let shownEpoch = 0;
  let unsaved = false;
  const startedMs = performance.now();
  let done = 0;
  const left = (epoch: number, batch: number, batches: number): string => {
    done += 1;
    const remaining = (epochs - epoch) * batches + batches - batch;
    const minutes = ((performance.now() - startedMs) / done / minuteMs) * remaining;
    return minutes < 1 ? `${Math.ceil(60 * minutes)} s` : `${Math.ceil(minutes)} min`;
  };
  return {
    onBatch(epoch, batch, batches, loss) {
      if (bar === undefined) return;
      const payload = { epoch, loss: loss.toFixed(5), left: left(epoch, batch, batches) };
      if (epoch !== shownEpoch) bar.start(batches, batch, payload);
      else bar.update(batch, payload);
      shownEpoch = epoch;
    },
    onEpoch({ epoch, trainingLoss, validationLoss, elapsedMs, outcome }) {
      bar?.stop();
      const losses = `loss ${trainingLoss.toFixed(5)}, validation ${validationLoss.toFixed(5)}`;
      output.write(`epoch ${epoch}/${epochs}: ${losses}, ${(elapsedMs / 1000).toFixed(0)} s, ${outcome}\n`);
    },
    onResume(epoch) {
      output.write(`resuming after epoch ${epoch}\n`);
    },
    onUnsaved(reason) {
      if (!unsaved) output.write(`${reason}: training continues without a checkpoint, so it can't be resumed\n`);
      unsaved = true;
    },
    finish() {
      bar?.stop();
    },
  };
}
