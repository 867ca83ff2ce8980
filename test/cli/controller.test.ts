import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { slowdown } from "../fakes/machine-speed.ts";

const main = new URL("../../main.ts", import.meta.url).pathname;

describe("thormesh controller", () => {
  let directory: string;
  const children: Bun.Subprocess[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "thormesh-controller-cli-"));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill("SIGKILL");
      await child.exited;
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (...args: string[]) => {
    const child = Bun.spawn([process.execPath, main, "controller", "--state-dir", directory, ...args], {
      env: { ...process.env, XDG_STATE_HOME: join(directory, "xdg-state") },
      stdin: "pipe",
      stdout: "ignore",
      stderr: "pipe",
    });
    children.push(child);
    return child;
  };
  /** The log up to the line that says that it runs. */
  const untilStarted = async (child: ReturnType<typeof start>) => {
    let text = "";
    for await (const chunk of child.stderr) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("controller started")) return;
    }
    throw new Error(`it ended: ${text}`);
  };

  test("listens, answers, and ends with 0 on SIGTERM", async () => {
    const port = await freePort();
    const child = start("--listen", `127.0.0.1:${port}`, "--broker-port", "0");
    await untilStarted(child);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    const askedMs = performance.now();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(3_000 * slowdown());
  });

  test("ends with the process that holds its standard input", async () => {
    const child = start("--listen", "0", "--broker-port", "0", "--exit-on-stdin-close");
    await untilStarted(child);
    await child.stdin.end();
    expect(await child.exited).toBe(0);
  });

  test("a port in use: 2, and it is named", async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
    const { port } = occupant.address() as { port: number };
    const child = start("--listen", "0", "--broker-port", String(port), "--log-level", "silent");
    expect(await child.exited).toBe(2);
    expect(await new Response(child.stderr).text()).toContain(`port ${port}`);
    await new Promise((resolve) => occupant.close(resolve));
  });

  test("a configuration that is wrong: 2, with every mistake", async () => {
    const path = join(directory, "controller.yaml");
    writeFileSync(path, "colour: red\nscaling: { intervalMs: soon }\napi: { port: 99999 }\n");
    const child = start("--config", path);
    expect(await child.exited).toBe(2);
    const text = await new Response(child.stderr).text();
    for (const mistake of ["colour: unknown field", "scaling.intervalMs", "api.port"]) expect(text).toContain(mistake);
  });
});
