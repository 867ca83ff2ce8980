import { createConnection } from "node:net";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import {
  agentClientId,
  agentSecret,
  doctorClientId,
  observerSecret,
  observerUsername,
} from "#protocol/broker-secret.ts";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";
import { type FuzzedController, fuzzController, readFuzzOptions } from "./fuzz/fuzz-controller.ts";
import { createPacketSource, type FuzzLogin } from "./fuzz/mqtt-packets.ts";
import { createWitness } from "./fuzz/mqtt-witness.ts";
import { createRandom } from "./fuzz/random.ts";

const name = "fuzz-mqtt";
const { seconds, seed, command } = readFuzzOptions(name);
const fleet = "default";
/** Many, because most connections of a client that reconnects all the time are refused. */
const agentIds = Array.from({ length: 200 }, (_, each) => `fuzz-${each + 1}`);
const connectionsAtOnce = 12;
const checkEveryMs = 2000;
const say = (line: string) => process.stdout.write(`${line}\n`);

const [port = 0] = await findFreePorts(1, Math.random);
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

async function run(fuzzed: FuzzedController): Promise<void> {
  const { program, stateDir } = fuzzed;
  const { url } = JSON.parse(await program.untilLogged('"controller started"'));
  const key = readBrokerKey(stateDir);
  if (key === null) throw new Error("the controller made no key");
  const witness = await createWitness(`mqtt://127.0.0.1:${port}`, fleet, key);
  await witness.speak();
  fuzzed.rest();
  let rounds = 0;
  const check = async () => {
    fuzzed.check();
    await witness.speak();
    fuzzed.check();
    if (witness.forged[0] !== undefined) throw new Error(`what was made here arrived: ${witness.forged[0]}`);
    rounds += 1;
  };
  const endMs = Date.now() + seconds * 1000;
  const fuzzing = Array.from({ length: connectionsAtOnce }, async () => {
    while (Date.now() < endMs && !fuzzed.hasEnded()) await fuzzOnce(key);
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
  say(`  ${connections} connections, ${packets} packets, ${rounds} checks; ${fuzzed.memory()}`);
}

const args = ["--broker-port", String(port)];
await fuzzController(name, { seed, seconds, command, args, maxLogBytes: 2_000_000 }, run);
