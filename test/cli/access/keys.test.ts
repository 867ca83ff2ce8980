import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { quietController } from "../../controller/quiet-controller.ts";
import { programCommand, temporaryDirectory } from "../../e2e/program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const keys = (words: readonly string[], key = "") => run(["keys", ...words], key);

async function run(words: readonly string[], key = "") {
  const child = Bun.spawn([...programCommand, ...words], {
    env: { ...process.env, THORMESH_API_KEY: key },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}

test("the first key is made before the controller runs, which then may listen to others; all else by its API", async () => {
  const local = ["--local", "--state-dir", directory.path];
  const refused = quietController(directory.path, { host: "0.0.0.0" });
  await expect(refused.start()).rejects.toThrow("without an API key");
  const first = await keys(["create", "--name", "root", "--role", "admin", ...local]);
  expect(first).toMatchObject({ code: 0, err: expect.stringContaining("(root), role admin, expires: never") });
  const root = first.out.trim();
  expect(root).toMatch(/^tm_a_\S+$/);
  const controller = quietController(directory.path, { host: "0.0.0.0" });
  await controller.start();
  try {
    const url = ["--url", controller.url];
    const made = await keys(
      [
        "create",
        "--name",
        "wall",
        "--role",
        "viewer",
        "--expires",
        "90d",
        "--reason",
        "für die Wand",
        "--json",
        ...url,
      ],
      root,
    );
    const { key, secret } = JSON.parse(made.out);
    expect(key).toMatchObject({ name: "wall", role: "viewer", state: "valid" });
    const rotated = await keys(["rotate", key.id, "--overlap", "1h", ...url], root);
    expect(rotated.out).toMatch(/^tm_v_/);
    expect(await keys(["revoke", key.id, ...url], root)).toMatchObject({
      code: 0,
      out: `key ${key.id} (wall) is revoked\n`,
    });
    const forbidden = await keys(["list", ...url], rotated.out.trim());
    expect(forbidden).toMatchObject({ code: 1, err: expect.stringContaining("403: this needs the role admin") });
    expect(await keys(["list", ...url], secret)).toMatchObject({
      code: 1,
      err: expect.stringContaining("was revoked"),
    });
    const listed = await keys(["list", ...local]);
    expect(listed.out.split("\n").filter((line) => line.includes("wall"))).toHaveLength(2);
    const whole = await run(["audit", "verify", ...url], root);
    expect(whole).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^8 entries \(1 to 8\) are unaltered; head 8:\S+\n$/),
    });
    const exported = join(directory.path, "audit.jsonl");
    expect(await run(["audit", "export", "--out", exported, ...local])).toMatchObject({ code: 0 });
    const lines = (await Bun.file(exported).text()).split("\n");
    expect(JSON.parse(lines[0] as string).entry).toMatchObject({
      action: "keys.create",
      from: "local",
      target: "root",
    });
    expect(JSON.parse(lines[2] as string).entry).toMatchObject({
      action: "keys.create",
      from: "127.0.0.1",
      target: "wall",
      reason: "für die Wand",
    });
    await Bun.write(exported, lines.map((line) => line.replace('"wall"', '"hall"')).join("\n"));
    const changed = await run(["audit", "verify", "--file", exported]);
    expect(changed).toMatchObject({ code: 1, out: expect.stringContaining("entry 3 has been altered") });
    expect(listed.out + first.err + made.err).not.toContain(secret);
  } finally {
    await controller.stop();
  }
});
