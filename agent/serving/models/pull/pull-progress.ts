import { Presets, SingleBar } from "cli-progress";
import { cleanText } from "#platform/clean-text.ts";
import type { PullEvents } from "./pull-model.ts";

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** Shows a bar on a terminal, elsewhere a line for each file. */
export function createPullProgress(output: NodeJS.WriteStream): PullEvents & { finish(): void } {
  const have = new Map<string, number>();
  const bar = output.isTTY
    ? new SingleBar(
        {
          stream: output,
          hideCursor: true,
          clearOnComplete: true,
          format: "{bar} {percentage}% | {done} of {whole} MB | {file} | {eta_formatted} left",
        },
        Presets.shades_classic,
      )
    : undefined;
  let total = 0;
  let known = false;
  const sum = () => [...have.values()].reduce((all, bytes) => all + bytes, 0);
  const payload = (file: string) => ({
    file: cleanText(file, 200),
    done: megabytes(sum()),
    whole: known ? megabytes(total) : "?",
  });
  return {
    onPlan(files, totalBytes) {
      total = totalBytes ?? 0;
      known = totalBytes !== null;
      if (bar === undefined) output.write(`${files.length} files${known ? `, ${megabytes(total)} MB` : ""}\n`);
      else bar.start(total, 0, payload(""));
    },
    onProgress(path, bytes) {
      have.set(path, bytes);
      if (bar === undefined) return;
      if (sum() > total) bar.setTotal(sum());
      bar.update(sum(), payload(path));
    },
    onFile({ path, bytes, evidence, resumedAt }) {
      if (bar !== undefined) return;
      const resumed = resumedAt > 0 ? `, ${megabytes(resumedAt)} MB of it from before` : "";
      output.write(`${cleanText(path, 200)}: ${megabytes(bytes)} MB${resumed}, checked by ${evidence}\n`);
    },
    onCheck() {
      bar?.stop();
      output.write("loading it once\n");
    },
    finish() {
      bar?.stop();
    },
  };
}
