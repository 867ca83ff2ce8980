/**
 * Plays a training process: says what its first argument holds (a list of messages, JSON), then waits for orders and answers each with an
 * epoch whose number counts them. "hang" as the second argument leaves it running, otherwise it ends with 0.
 */
const [messages = "[]", then = ""] = process.argv.slice(2);
for (const message of JSON.parse(messages)) process.send?.(message);
let orders = 0;
process.on("message", ({ kind }: { kind: string }) => {
  orders += 1;
  const report = {
    epoch: orders,
    trainingLoss: 0,
    validationLoss: kind === "rest" ? 1 : 2,
    learningRate: 1,
    elapsedMs: 1,
    outcome: "",
  };
  process.send?.({ kind: "epoch", report, rssBytes: 5 });
});
process.on("disconnect", () => process.exit(0));
if (then !== "hang") setTimeout(() => process.exit(0), 20);
