import { expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { eventually, startProgram, temporaryDirectory, untilReady } from "./program.ts";

// With promtool comes Prometheus itself: it reads deploy/prometheus as it is, but for the ports and its hurry.
const executable = Bun.which("prometheus");

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

test.if(executable !== null)(
  "Prometheus finds the agents by the controller, scrapes all, and knows the rules",
  async () => {
    const directory = temporaryDirectory();
    const [apiPort, brokerPort, ownPort] = [await freePort(), await freePort(), await freePort()];
    const state = (name: string) => ["--state-dir", join(directory.path, name)];
    const listening = ["--listen", `127.0.0.1:${apiPort}`, "--broker-port", `${brokerPort}`];
    const controller = startProgram(["controller", ...listening, ...state("controller")], directory.path);
    await controller.untilLogged("controller started");
    const toBroker = ["--broker", `mqtt://127.0.0.1:${brokerPort}`, "--board", "simulated", "--grpc", "off"];
    const agent = startProgram(
      ["agent", "--id", "thor-1", "--listen", "127.0.0.1:0", ...toBroker, ...state("agent")],
      directory.path,
    );
    const folder = join(directory.path, "prometheus");
    mkdirSync(folder);
    cpSync(join(import.meta.dir, "..", "..", "deploy", "prometheus"), folder, { recursive: true });
    const config = join(folder, "prometheus.yml");
    const hurried = readFileSync(config, "utf8")
      .replaceAll("127.0.0.1:7070", `127.0.0.1:${apiPort}`)
      .replaceAll(/(interval): \d+s/g, "$1: 1s");
    writeFileSync(config, hurried);
    await untilReady(agent);
    const prometheus = Bun.spawn(
      [
        executable as string,
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${ownPort}`,
      ],
      { stdout: "ignore", stderr: "ignore" },
    );
    const ask = async (query: string) => {
      const url = `http://127.0.0.1:${ownPort}/api/v1/query?query=${encodeURIComponent(query)}`;
      return ((await (await fetch(url)).json()) as Answer).data.result;
    };
    try {
      const scraped = await eventually(
        () => ask("thormesh_agent_active"),
        (result) => result.length === 1,
      );
      expect(scraped[0]?.metric).toMatchObject({ agent: "thor-1", cluster: "default", job: "thormesh-agent" });
      const up = await eventually(
        () => ask("up == 1"),
        (result) => result.length === 2,
      );
      expect(up.map(({ metric }) => metric["job"]).sort()).toEqual(["thormesh-agent", "thormesh-controller"]);
      const rules = (await (await fetch(`http://127.0.0.1:${ownPort}/api/v1/rules`)).json()) as {
        data: { groups: { rules: { health: string; lastError?: string }[] }[] };
      };
      const all = rules.data.groups.flatMap((group) => group.rules);
      expect(all.length).toBeGreaterThan(40);
      expect(all.filter(({ health }) => health === "err")).toEqual([]);
    } finally {
      prometheus.kill();
      await prometheus.exited;
      await agent.stop();
      await controller.stop();
      directory.remove();
    }
  },
);
