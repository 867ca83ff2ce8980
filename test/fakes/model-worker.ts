import { connect } from "node:net";
import { encodeFrame, type Frame, FrameReader } from "#agent/serving/worker/frames.ts";

// Stands in for a model's process. Misbehaves as its first argument says, from the second batch on if that begins with "then ".
// Vectors have four numbers.

const said = process.argv[2] ?? "";
const behaviour = said.replace(/^then /, "");
let well = said === behaviour ? 0 : 1;
const path = process.argv[process.argv.indexOf("--socket") + 1] ?? "";
const socket = connect(path);
const engine = {
  provider: "cpu" as const,
  refused: [],
  libraryVersion: null,
  libraryPath: null,
  libraryProblem: null,
  engines: null,
};
const say = (frame: Frame) => socket.write(encodeFrame(frame));
const vectorsOf = (count: number, numbers = 4) =>
  Array.from({ length: count }, () => new Float32Array(numbers).fill(0.5));
const stopItself = () => process.kill(process.pid, "SIGSTOP");

/** Frame header with the given kind, batch and length, true or not. */
function forged(length: number, kind: number, batch: number, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(9 + 4 * body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint8(4, kind);
  view.setUint32(5, batch, true);
  for (const [place, value] of body.entries()) view.setUint32(9 + 4 * place, value, true);
  return bytes;
}

const answers: Record<string, (batch: Extract<Frame, { kind: "batch" }>) => unknown> = {
  "never answers": () => {},
  "stops itself": stopItself,
  "writes garbage": () => socket.write(crypto.getRandomValues(new Uint8Array(4096)).fill(255, 0, 4)),
  "announces four gigabytes": () => socket.write(forged(0xffff_fff0, 3, 1)),
  "announces a frame and stops writing": ({ batch }) => socket.write(forged(1_000_000, 3, batch)),
  "says a frame of an unknown kind": ({ batch }) => socket.write(forged(5, 99, batch)),
  "says vectors without numbers": ({ batch }) => socket.write(forged(21, 3, batch, 0, 0, 0xffff_ffff, 0)),
  "answers another batch": ({ batch, texts }) =>
    say({ kind: "vectors", batch: batch + 7, computeMs: 1, vectors: vectorsOf(texts.length) }),
  "answers twice": ({ batch, texts }) => {
    for (let time = 0; time < 2; time += 1)
      say({ kind: "vectors", batch, computeMs: 1, vectors: vectorsOf(texts.length) });
  },
  "answers with fewer vectors": ({ batch, texts }) =>
    say({ kind: "vectors", batch, computeMs: 1, vectors: vectorsOf(texts.length - 1) }),
  "answers with other numbers": ({ batch, texts }) =>
    say({ kind: "vectors", batch, computeMs: 1, vectors: vectorsOf(texts.length, 5) }),
  "answers with a pong": ({ batch }) => say({ kind: "pong", batch }),
  "says that it is ready": () => say({ kind: "ready", loadMs: 1, engine }),
  "asks itself": ({ batch }) => say({ kind: "ping", batch }),
  "reads nothing": () => socket.pause(),
  ends: () => process.exit(3),
};

socket.on("connect", (): void => {
  if (behaviour === "is never ready") return;
  if (behaviour === "stops itself while it loads") stopItself();
  say({ kind: "ready", loadMs: 1, engine });
  if (behaviour === "stops itself when idle") setTimeout(stopItself, 50);
  if (behaviour === "writes without an end of line") {
    const noise = "x".repeat(65_536);
    setInterval(() => process.stderr.write(noise), 1);
  }
});
const reader = new FrameReader();
socket.on("data", (piece: Buffer) => {
  for (const frame of reader.push(piece)) {
    if (frame.kind === "ping" && behaviour !== "never answers a ping") say({ kind: "pong", batch: frame.batch });
    if (frame.kind !== "batch") continue;
    const answer = answers[behaviour];
    well -= 1;
    if (answer !== undefined && well < 0) {
      answer(frame);
      continue;
    }
    say({ kind: "vectors", batch: frame.batch, computeMs: 1, vectors: vectorsOf(frame.texts.length) });
  }
});
if (behaviour !== "stays when its connection ends") socket.on("close", () => process.exit(0));
else setInterval(() => {}, 1_000);
socket.on("error", () => {});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
