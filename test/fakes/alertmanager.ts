import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

export interface Alertmanager {
  readonly url: string;
  /** Alerts as its API lists them, the ended ones not included. */
  alerts(): Promise<readonly { labels: Record<string, string>; annotations: Record<string, string> }[]>;
  dispose(): Promise<void>;
}

/** A real Prometheus Alertmanager (Debian's prometheus-alertmanager) on a free loopback port that tells a webhook of each change at once. */
export async function startAlertmanager(webhookUrl: string): Promise<Alertmanager> {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-alertmanager-"));
  const port = await freePort();
  const config = {
    route: { receiver: "test", group_by: ["..."], group_wait: "0s", group_interval: "1s", repeat_interval: "1h" },
    receivers: [{ name: "test", webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
  };
  // YAML reads JSON.
  await Bun.write(join(directory, "config.yml"), JSON.stringify(config));
  const child = Bun.spawn(
    [
      ...["prometheus-alertmanager", `--config.file=${join(directory, "config.yml")}`, "--cluster.listen-address="],
      ...[`--storage.path=${join(directory, "data")}`, `--web.listen-address=127.0.0.1:${port}`],
    ],
    { env: { PATH: process.env["PATH"] ?? "" }, stdout: "ignore", stderr: "pipe" },
  );
  const stderr = new Response(child.stderr).text();
  const url = `http://127.0.0.1:${port}`;
  const dispose = async () => {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(directory, { recursive: true, force: true });
  };
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the Alertmanager has ended: ${await stderr}`);
    const ready = await fetch(`${url}/-/ready`).catch(() => null);
    if (ready?.ok === true) break;
    await Bun.sleep(50);
  }
  return {
    url,
    async alerts() {
      const answer = await fetch(`${url}/api/v2/alerts`);
      return (await answer.json()) as { labels: Record<string, string>; annotations: Record<string, string> }[];
    },
    dispose,
  };
}
