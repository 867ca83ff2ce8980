import { expect, test } from "bun:test";
import { readTreePss } from "#tools/load/watch/process-tree.ts";
import { eventually, startProgram, temporaryDirectory } from "./program.ts";

const maxIdleBytes = 280 * 1024 * 1024;

test.if(process.env["THORMESH_BINARY"] !== undefined)(
  "an agent that nobody asks holds less than 280 MB, and its model's process maps the prepared weights",
  async () => {
    const directory = temporaryDirectory();
    const agent = startProgram(
      ["agent", "--listen", "127.0.0.1:0", "--grpc", "off", "--state-dir", directory.path],
      directory.path,
    );
    try {
      await Promise.all([agent.untilLogged("model loaded"), agent.untilLogged("the forecasting process is ready")]);
      const memory = await eventually(
        async () => readTreePss(agent.child.pid),
        (processes) => processes.reduce((sum, { pssBytes }) => sum + pssBytes, 0) < maxIdleBytes,
      );
      expect(memory.map(({ command }) => command).sort()).toEqual(["agent", "forecast-worker", "model-worker"]);
      expect(agent.log()).not.toContain("each process of the model holds its own weights");
    } finally {
      await agent.stop();
      directory.remove();
    }
  },
);
