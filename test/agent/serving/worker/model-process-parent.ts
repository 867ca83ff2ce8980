import { findModel } from "#agent/serving/models/find-model.ts";
import { startModelProcess } from "#agent/serving/worker/model-process.ts";

// A parent to be killed: prints its child's process id; on SIGUSR2 has it compute a batch.
const found = await findModel("all-MiniLM-L6-v2", null);
const child = await startModelProcess(found, { threads: 1, timeoutMs: 60_000 });
process.on("SIGUSR2", async () => {
  const { vectors } = await child.run([Uint32Array.of(101, 102)], 8);
  process.stdout.write(`computed ${vectors.length}\n`);
});
process.stdout.write(`${child.pid}\n`);
