/** See scripts/fuzz-identity. */
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { joinFleet } from "#agent/enrolment/join-fleet.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { brokerServerName } from "#protocol/identity/device-certificate.ts";
import { type JoinToken, parseJoinToken } from "#protocol/identity/join-token.ts";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";
import { type FuzzedController, fuzzController, readFuzzOptions } from "./fuzz/fuzz-controller.ts";
import { createIdentityInputs, type IdentityInputs } from "./fuzz/identity-inputs.ts";
import { createRandom } from "./fuzz/random.ts";

const name = "fuzz-identity";
const { seconds, seed, command } = readFuzzOptions(name);
const fleet = "default";
const atOnce = 6;
const tokenUses = 40;
const say = (line: string) => process.stdout.write(`${line}\n`);

const [port = 0, tlsPort = 0] = await findFreePorts(2, Math.random);
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

async function run(fuzzed: FuzzedController): Promise<void> {
  const { program, stateDir } = fuzzed;
  const { url } = JSON.parse(await program.untilLogged('"controller started"')) as { url: string };
  const authority = await openFleetAuthority(stateDir, fleet, Date.now());
  const stranger = await openFleetAuthority(join(stateDir, "..", "stranger"), fleet, Date.now());
  const ca = readFileSync(join(stateDir, "ca.pem"), "utf8");
  const inputs = createIdentityInputs(random, { fleet, authority, stranger });
  const witness = async (agentId: string) => {
    const parts = { controllerUrl: url, token: await newToken(url), agentId, stateDir: join(stateDir, "..", agentId) };
    await joinFleet({ ...parts, waitMs: 0, onPending: () => undefined, sleep: Bun.sleep });
  };
  await witness("first");
  fuzzed.rest();
  let token = await newToken(url);
  const check = async (name: string) => {
    fuzzed.check();
    await witness(name);
    token = await newToken(url);
    fuzzed.check();
  };
  const endMs = Date.now() + seconds * 1000;
  const fuzzing = Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (Date.now() < endMs && !fuzzed.hasEnded()) await fuzzOnce(url, inputs, () => token, ca);
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
  say(`  answers ${counts.join(", ")}; ${granted} let in; ${handshakes} handshakes; ${fuzzed.memory()}`);
}

const args = ["--broker-port", String(port), "--broker-tls", `127.0.0.1:${tlsPort}`];
await fuzzController(name, { seed, seconds, command, args, maxLogBytes: 4_000_000 }, run);
