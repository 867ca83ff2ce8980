import { afterEach, beforeEach, expect, test } from "bun:test";
import { quietController } from "../../controller/quiet-controller.ts";
import { programCommand, temporaryDirectory } from "../../e2e/program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

async function keys(words: readonly string[], key = "") {
  const child = Bun.spawn([...programCommand, "keys", ...words], {
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
      ["create", "--name", "wall", "--role", "viewer", "--expires", "90d", "--json", ...url],
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
    expect(listed.out + first.err + made.err).not.toContain(secret);
  } finally {
    await controller.stop();
  }
});
