/** See scripts/fuzz-mqtt. */
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import {
  agentClientId,
  agentSecret,
  doctorClientId,
  observerSecret,
  observerUsername,
} from "#protocol/broker-secret.ts";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";
import { startProgram, temporaryDirectory } from "../test/e2e/program.ts";
import { createPacketSource, type FuzzLogin } from "./fuzz/mqtt-packets.ts";
import { createWitness } from "./fuzz/mqtt-witness.ts";
import { createRandom } from "./fuzz/random.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string" }, seed: { type: "string" }, binary: { type: "string" } },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
if (!(seconds > 0 && seconds <= 86_400) || !Number.isSafeInteger(seed) || seed < 0) {
  process.stderr.write("fuzz-mqtt: expected --seconds from 0 to 86400 and --seed, a whole number\n");
  process.exit(2);
}

const fleet = "default";
/** Many, because most connections of a client that reconnects all the time are refused. */
const agentIds = Array.from({ length: 200 }, (_, each) => `fuzz-${each + 1}`);
const connectionsAtOnce = 12;
const checkEveryMs = 2000;
/** Growth allowed above the idle controller: broker, uncollected garbage and socket buffers. */
const maxGrowthMb = 250;
const maxLogBytes = 2_000_000;
const say = (line: string) => process.stdout.write(`${line}\n`);

const directory = temporaryDirectory();
const stateDir = join(directory.path, "state");
const [port = 0] = await findFreePorts(1, Math.random);
const command = values.binary === undefined ? [process.execPath, resolve("main.ts")] : [resolve(values.binary)];
const options = ["--listen", "127.0.0.1:0", "--broker-port", String(port), "--state-dir", stateDir];
const program = startProgram(["controller", ...options], directory.path, {}, command);
const { child: controller, log } = program;
const rssMb = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${controller.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

const random = createRandom(seed);
let connections = 0;
let packets = 0;

async function fuzzOnce(key: Uint8Array): Promise<void> {
  const source = createPacketSource(random, fleet, agentIds);
  const agentId = random.pick(agentIds);
  const asAgent = {
    clientId: agentClientId(fleet, agentId),
    username: agentId,
    password: agentSecret(key, fleet, agentId),
  };
  const observer = { username: observerUsername, password: observerSecret(key, fleet) };
  const login = random.pick<FuzzLogin>([
    ...new Array<FuzzLogin>(5).fill(asAgent),
    { clientId: "x".repeat(random.below(2000)), ...observer },
    { ...asAgent, clientId: doctorClientId(fleet, agentId) },
    { ...asAgent, password: random.bytes(random.below(100)).toString("latin1") },
    { ...asAgent, username: "steady" },
    { ...asAgent, clientId: agentClientId(fleet, "steady") },
    { clientId: random.bytes(random.below(30)).toString("latin1") },
  ]);
  // Packets are drawn before any wait: the same seed makes the same packets.
  const isTame = random.chance(0.5);
  const first = source.connect(login, isTame);
  const sent = [isTame || random.chance(0.6) ? first : source.mutate(first)];
  for (let count = random.pick([0, 1, 3, 10, 40]); count > 0; count -= 1) {
    const next = isTame && random.chance(0.95) ? source.allowed(agentId) : source.other();
    sent.push(isTame || random.chance(0.6) ? next : source.mutate(next));
  }
  if (random.chance(0.05)) sent.shift();
  const waitMs = random.pick([0, 0, 1, 5, 50]);
  const reads = random.chance(0.8);
  connections += 1;
  packets += sent.length;
  await new Promise<void>((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    const timer = setTimeout(() => socket.destroy(), 300);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    if (reads) socket.resume();
    void (async () => {
      for (const bytes of sent) {
        if (socket.destroyed) return;
        socket.write(bytes);
        // The first answer tells if the rest is read.
        await Bun.sleep(bytes === sent[0] ? 5 : waitMs);
      }
    })();
  });
}

async function run(): Promise<void> {
  const { url } = JSON.parse(await program.untilLogged('"controller started"'));
  const key = readBrokerKey(stateDir);
  if (key === null) throw new Error("the controller made no key");
  const witness = await createWitness(`mqtt://127.0.0.1:${port}`, fleet, key);
  await witness.speak();
  const idleMb = rssMb();
  let highestMb = idleMb;
  let rounds = 0;
  const check = async () => {
    if (controller.exitCode !== null || controller.signalCode !== null) throw new Error("the controller has ended");
    await witness.speak();
    highestMb = Math.max(highestMb, rssMb());
    if (highestMb > idleMb + maxGrowthMb)
      throw new Error(
        `${Math.round(highestMb)} MB, more than ${maxGrowthMb} MB above the ${Math.round(idleMb)} MB at idle`,
      );
    const text = log();
    if (text.length > maxLogBytes) throw new Error(`a log of ${text.length} bytes`);
    const odd = text.split("\n").find((line) => /this is a bug|unhandled|uncaught|"level":"(error|fatal)"/i.test(line));
    if (odd !== undefined) throw new Error(`in its log: ${odd.slice(0, 500)}`);
    if (witness.forged[0] !== undefined) throw new Error(`what was made here arrived: ${witness.forged[0]}`);
    rounds += 1;
  };
  const endMs = Date.now() + seconds * 1000;
  const fuzzing = Array.from({ length: connectionsAtOnce }, async () => {
    while (Date.now() < endMs && controller.exitCode === null) await fuzzOnce(key);
  });
  while (Date.now() < endMs) {
    await Bun.sleep(Math.max(1, Math.min(checkEveryMs, endMs - Date.now())));
    await check();
  }
  await Promise.all(fuzzing);
  await check();
  if (!(await fetch(`${url}/healthz`)).ok) throw new Error("the controller is not healthy");
  const metrics = await (await fetch(`${url}/metrics`)).text();
  await witness.stop();
  for (const line of metrics.split("\n")) if (line.startsWith("thormesh_broker_")) say(`  ${line}`);
  say(
    `  ${connections} connections, ${packets} packets, ${rounds} checks; ${idleMb.toFixed(0)} MB idle, ${highestMb.toFixed(0)} at most`,
  );
}

say(`fuzz-mqtt: seed ${seed}, ${seconds} s`);
let code = 0;
try {
  await run();
} catch (error) {
  code = 1;
  process.stderr.write(`fuzz-mqtt: failed with seed ${seed}: ${(error as Error).message}\n`);
  process.stderr.write(`${log().split("\n").slice(-15).join("\n")}\n`);
} finally {
  controller.kill("SIGTERM");
  const timer = setTimeout(() => controller.kill("SIGKILL"), 10_000);
  const ended = await controller.exited;
  clearTimeout(timer);
  if (code === 0 && ended !== 0) {
    process.stderr.write(`fuzz-mqtt: the controller ended with ${ended}\n`);
    code = 1;
  }
  directory.remove();
}
process.exit(code);
