import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";
import { freePort } from "../fakes/free-port.ts";
import { expectReferenceVectors, expectServesAlone } from "./alone.ts";
import { eventually } from "./program.ts";

/** A bare arm64 Debian with the executable in /media. ./scripts/test-arm64 makes it, and lets its programs run. */
const root = process.env["THORMESH_ARM64_ROOT"];
const limitMs = 1_500_000;

/** Runs a command on that machine, as root. What the agent has unpacked and prepared is at hand. */
async function run(...command: readonly string[]) {
  const child = Bun.spawn(["chroot", root as string, ...command], {
    env: {
      ...{ PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LC_ALL: "C.UTF-8" },
      ...{ CACHE_DIRECTORY: "/var/cache/thormesh-agent", QEMU_CPU: process.env["QEMU_CPU"] },
    },
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  });
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, said, code };
}

/** Runs a command that has to succeed. Resolves with what it prints. */
async function succeeds(...command: readonly string[]): Promise<string> {
  const { out, said, code } = await run(...command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${out}${said}`);
  return out;
}

const numbersOf = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, each) => (typeof each === "number" ? Number(each.toPrecision(3)) : each));

// Where scripts/test-arm64 found no Debian for arm64.
const binary = process.env["THORMESH_ARM64_BINARY"];
test.if(binary !== undefined)(
  "the arm64 executable, alone in an empty directory, serves vectors that match the reference",
  async () => {
    await expectServesAlone(binary as string);
  },
);

describe.if(root !== undefined)("a bare arm64 Debian", () => {
  let url: string;

  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    mkdirSync(join(root as string, "etc/thormesh"));
    // Emulated beside much else, requests take longer than on any board.
    const config = `stateDir: /var/lib/thormesh-agent\nserving: {port: ${port}, grpc: {enabled: false}, requestTimeoutMs: 600000, queueMs: 600000, batchTimeoutMs: 600000}\n`;
    writeFileSync(join(root as string, "etc/thormesh/agent.yaml"), config);
    const said = await succeeds("sh", "/media/install.sh", "--agent", "--file", "/media/thormesh-linux-arm64");
    expect(said).toContain("is installed");
    await eventually(
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
      limitMs,
    );
  }, limitMs);

  test("the agent that install.sh has set up runs as its user and serves vectors that match the reference", async () => {
    expect(await succeeds("uname", "-m")).toBe("aarch64\n");
    expect(await succeeds("readlink", "-f", "/usr/local/bin/thormesh")).toMatch(
      /^\/usr\/local\/lib\/thormesh\/versions\/[^/]+\/thormesh\n$/,
    );
    expect(await succeeds("stat", "-c", "%U", "/var/lib/thormesh-agent/agent.db")).toBe("thormesh-agent\n");
    await expectReferenceVectors(url);
  });

  test("doctor finds nothing that fails", async () => {
    const { out, said, code } = await run(
      "thormesh",
      "doctor",
      "--offline",
      "--wait",
      "1200",
      "--config",
      "/etc/thormesh/agent.yaml",
    );
    expect({ code, out, said }).toMatchObject({ code: 0 });
    expect(out).toMatch(/^embedding +ok +all-MiniLM-L6-v2, 384 numbers a text/m);
    expect(out).toMatch(/^forecast +ok +LSTM on wasm/m);
    expect(out).toMatch(/^All checks passed/m);
  });

  test("embed prints the vector of a text", async () => {
    const [reference] = await readReferenceTexts();
    if (reference === undefined) throw new Error("there are no reference texts");
    const vector = JSON.parse(await succeeds("thormesh", "embed", reference.text)) as number[];
    expect(cosine(vector, reference.vector)).toBeGreaterThanOrEqual(0.98);
  });

  test("forecast judges a real trace as it does on any machine", async () => {
    const options = ["--trace", "TRACE", "--origins", "20", "--json"];
    const on = (trace: string) => ["forecast", "backtest", ...options.map((word) => (word === "TRACE" ? trace : word))];
    const trace = "nasa_http_jul95_1min.csv";
    const here = Bun.spawn([process.execPath, "main.ts", ...on(join("models/traffic-lstm", trace))], {
      stdout: "pipe",
      stderr: "inherit",
      cwd: join(import.meta.dir, "..", ".."),
    });
    const there = JSON.parse(await succeeds("thormesh", ...on(`/media/${trace}`)));
    expect(numbersOf(there)).toEqual(numbersOf(await new Response(here.stdout).json()));
  });

  test("it is removed with nothing left behind", async () => {
    await succeeds("sh", "/usr/local/lib/thormesh/install.sh", "--uninstall", "--purge", "--yes");
    const elsewhere = ["-not", "-path", "/media/*", "-not", "-path", "/proc/*"];
    const left = await succeeds("find", "/", "-xdev", "-name", "*thormesh*", ...elsewhere);
    expect(left).toBe("");
  });
});
