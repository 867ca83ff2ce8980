/** See scripts/fuzz-identity. */
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { connect } from "node:tls";
import { parseArgs } from "node:util";
import { joinFleet } from "#agent/enrolment/join-fleet.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { brokerServerName } from "#protocol/identity/device-certificate.ts";
import { type JoinToken, parseJoinToken } from "#protocol/identity/join-token.ts";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";
import { startProgram, temporaryDirectory } from "../test/e2e/program.ts";
import { createIdentityInputs, type IdentityInputs } from "./fuzz/identity-inputs.ts";
import { createRandom } from "./fuzz/random.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string" }, seed: { type: "string" }, binary: { type: "string" } },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
if (!(seconds > 0 && seconds <= 86_400) || !Number.isSafeInteger(seed) || seed < 0) {
  process.stderr.write("fuzz-identity: expected --seconds from 0 to 86400 and --seed, a whole number\n");
  process.exit(2);
}

const fleet = "default";
const atOnce = 6;
/** Growth allowed above the controller that has let its first device in: certificates' library, uncollected garbage. */
const maxGrowthMb = 250;
const maxLogBytes = 4_000_000;
const tokenUses = 40;
const say = (line: string) => process.stdout.write(`${line}\n`);

const directory = temporaryDirectory();
const stateDir = join(directory.path, "state");
const [port = 0, tlsPort = 0] = await findFreePorts(2, Math.random);
const command = values.binary === undefined ? [process.execPath, resolve("main.ts")] : [resolve(values.binary)];
const options = ["--listen", "127.0.0.1:0", "--broker-port", String(port), "--state-dir", stateDir];
const program = startProgram(
  ["controller", ...options, "--broker-tls", `127.0.0.1:${tlsPort}`],
  directory.path,
  {},
  command,
);
const { child: controller, log } = program;
const rssMb = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${controller.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

const random = createRandom(seed);
const answers = new Map<number, number>();
let granted = 0;
let handshakes = 0;

async function post(url: string, path: string, body: string): Promise<number> {
  const response = await fetch(new URL(path, url), {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body },
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
  if (response.status >= 500)
    throw new Error(`${path} answers ${response.status}: ${text.slice(0, 300)} to ${body.slice(0, 500)}`);
  return response.status;
}

/** Shows the broker a certificate, and says something if it lets that in. */
function shake({ key, cert }: { key: string; cert: string }, ca: string, said: Buffer): Promise<void> {
  handshakes += 1;
  return new Promise((resolve) => {
    let socket: ReturnType<typeof connect>;
    try {
      socket = connect({ port: tlsPort, host: "127.0.0.1", ca, key, cert, servername: brokerServerName });
    } catch {
      // This side's own library does not take it.
      resolve();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), 300);
    socket.on("secureConnect", () => socket.write(said));
    socket.on("error", () => undefined);
    socket.resume();
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Sends the broker's TLS port bytes that are no handshake, or one that is broken off. */
function stammer(bytes: Buffer): Promise<void> {
  handshakes += 1;
  return new Promise((resolve) => {
    const socket = createConnection(tlsPort, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), 200);
    socket.on("error", () => undefined);
    socket.resume();
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Beginning of a ClientHello. */
const hello = Buffer.from("16030100c8010000c40303", "hex");

async function fuzzOnce(url: string, inputs: IdentityInputs, token: () => JoinToken, ca: string): Promise<void> {
  const kind = random.below(10);
  if (kind < 4) {
    const { signed, isWhole } = await inputs.join(token());
    const status = await post(url, "/api/v1/identity/join", JSON.stringify(signed));
    if (status !== 200) return;
    granted += 1;
    if (!isWhole) throw new Error(`let in without a whole request: ${JSON.stringify(signed).slice(0, 800)}`);
  } else if (kind < 7) {
    const signed = await inputs.renew();
    if ((await post(url, "/api/v1/identity/renew", JSON.stringify(signed))) === 200)
      throw new Error(`renewed what it never issued: ${JSON.stringify(signed).slice(0, 800)}`);
  } else if (kind < 8) {
    const text = inputs.mutate(Buffer.from(JSON.stringify(await inputs.renew()))).toString("latin1");
    await post(url, random.pick(["/api/v1/identity/join", "/api/v1/identity/renew"]), text);
  } else if (kind < 9) await shake(await inputs.client(), ca, random.bytes(random.below(200)));
  else
    await stammer(
      random.chance(0.5) ? inputs.mutate(Buffer.concat([hello, random.bytes(200)])) : random.bytes(random.below(600)),
    );
}

async function newToken(url: string): Promise<JoinToken> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ uses: tokenUses, approved: true });
  const { token } = (await (
    await fetch(new URL("/api/v1/join-tokens", url), { method: "POST", headers, body })
  ).json()) as { token: string };
  const parsed = parseJoinToken(token);
  if (parsed === null) throw new Error("the controller's token can't be read");
  return parsed;
}

async function run(): Promise<void> {
  const { url } = JSON.parse(await program.untilLogged('"controller started"')) as { url: string };
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  const stranger = await openFleetAuthority(join(directory.path, "stranger"), fleet, Date.now());
  const ca = readFileSync(join(stateDir, "ca.pem"), "utf8");
  const inputs = createIdentityInputs(random, { fleet, authority, stranger });
  const witness = async (agentId: string) => {
    const parts = { controllerUrl: url, token: await newToken(url), agentId, stateDir: join(directory.path, agentId) };
    await joinFleet({ ...parts, waitMs: 0, onPending: () => undefined, sleep: Bun.sleep });
  };
  await witness("first");
  const idleMb = rssMb();
  let highestMb = idleMb;
  let token = await newToken(url);
  const check = async (name: string) => {
    if (controller.exitCode !== null || controller.signalCode !== null) throw new Error("the controller has ended");
    await witness(name);
    token = await newToken(url);
    highestMb = Math.max(highestMb, rssMb());
    if (highestMb > idleMb + maxGrowthMb)
      throw new Error(
        `${Math.round(highestMb)} MB, more than ${maxGrowthMb} MB above the ${Math.round(idleMb)} MB at idle`,
      );
    const text = log();
    if (text.length > maxLogBytes) throw new Error(`a log of ${text.length} bytes`);
    const odd = text.split("\n").find((line) => /this is a bug|unhandled|uncaught|"level":"(error|fatal)"/i.test(line));
    if (odd !== undefined) throw new Error(`in its log: ${odd.slice(0, 500)}`);
  };
  const endMs = Date.now() + seconds * 1000;
  const fuzzing = Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (Date.now() < endMs && controller.exitCode === null) await fuzzOnce(url, inputs, () => token, ca);
    }),
  );
  const checking = (async () => {
    for (let round = 0; Date.now() < endMs; round += 1) {
      await Bun.sleep(Math.max(1, Math.min(2_000, endMs - Date.now())));
      await check(`steady-${round}`);
    }
  })();
  await Promise.all([fuzzing, checking]);
  await check("last");
  if (!(await fetch(new URL("/healthz", url))).ok) throw new Error("the controller is not healthy");
  const counts = [...answers].sort(([one], [other]) => one - other).map(([status, count]) => `${status}: ${count}`);
  say(
    `  answers ${counts.join(", ")}; ${granted} let in; ${handshakes} handshakes; ${idleMb.toFixed(0)} MB idle, ${highestMb.toFixed(0)} at most`,
  );
}

say(`fuzz-identity: seed ${seed}, ${seconds} s`);
let code = 0;
try {
  await run();
} catch (error) {
  code = 1;
  process.stderr.write(`fuzz-identity: failed with seed ${seed}: ${(error as Error).message}\n`);
  process.stderr.write(`${log().split("\n").slice(-15).join("\n")}\n`);
} finally {
  controller.kill("SIGTERM");
  const timer = setTimeout(() => controller.kill("SIGKILL"), 10_000);
  const ended = await controller.exited;
  clearTimeout(timer);
  if (code === 0 && ended !== 0) {
    process.stderr.write(`fuzz-identity: the controller ended with ${ended}\n`);
    code = 1;
  }
  directory.remove();
}
process.exit(code);
