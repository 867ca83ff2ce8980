import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTreeUsage, type TreeUsage } from "#tools/load/watch/process-tree.ts";
import { eventually, startProgram, temporaryDirectory } from "../../../e2e/program.ts";
import { modelDirectory } from "../models/model-directories.ts";

/** Room for the model that stays and one more. */
const budgetBytes = 400_000_000;
const keepAliveS = 3;

export interface TurnOver {
  /** The agent with the model that stays, before any other was asked for. */
  readonly before: TreeUsage;
  /** After each load, with two models in memory. */
  readonly afterLoad: readonly TreeUsage[];
  /** Time at which the last one's keep-alive was over. */
  readonly after: TreeUsage;
  /** From asking for a model that is not there to its first vector: another one evicted, its process ended, the new one loaded. */
  readonly loadMs: readonly number[];
}

/**
 * Starts an agent that has room for one model beside its default one, asks three others in turn, so that each request loads one and another
 * one goes for it, and measures the memory of the agent and all its processes after each.
 */
export async function turnOverModels(loads: number): Promise<TurnOver> {
  const names = ["one", "two", "three"];
  const models = await modelDirectory(names);
  const scratch = temporaryDirectory();
  const config = join(scratch.path, "agent.yaml");
  const serving = { modelDirectory: models, modelMemoryBytes: budgetBytes, keepAliveS };
  await writeFile(config, JSON.stringify({ serving }));
  const options = ["--listen", "127.0.0.1:0", "--grpc", "off", "--state-dir", join(scratch.path, "state")];
  const agent = startProgram(["agent", "--config", config, ...options], scratch.path);
  const usage = () => {
    const now = readTreeUsage(agent.child.pid);
    if (now === undefined) throw new Error(`the agent has ended:\n${agent.log()}`);
    return now;
  };
  try {
    const { url } = JSON.parse(await agent.untilLogged('"msg":"serving"')) as { url: string };
    const embed = async (model: string, text: string) => {
      const response = await fetch(`${url}/api/v1/embed`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model, inputs: Array.from({ length: 8 }, (_, n) => `${text} ${n}`) }),
      });
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    };
    const loaded = async () => {
      const { models: all } = (await (await fetch(`${url}/models`)).json()) as {
        models: { id: string; status: string }[];
      };
      return all.filter(({ status }) => status === "loaded").length;
    };
    await embed("all-MiniLM-L6-v2", "the model that stays");
    const before = usage();
    const afterLoad: TreeUsage[] = [];
    const loadMs: number[] = [];
    for (let load = 0; load < loads; load += 1) {
      const startedMs = performance.now();
      await embed(names[load % names.length] as string, `load ${load}`);
      loadMs.push(performance.now() - startedMs);
      afterLoad.push(usage());
    }
    await eventually(loaded, (count) => count === 1, (keepAliveS + 60) * 1000);
    const after = await eventually(
      async () => usage(),
      ({ processes }) => processes <= before.processes,
    );
    return { before, afterLoad, after, loadMs };
  } finally {
    await agent.stop();
    scratch.remove();
    await rm(models, { recursive: true, force: true });
  }
}
