import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PullError } from "#agent/serving/models/pull/pull-error.ts";
import { explainDisk, refuseFullDisk } from "#agent/serving/models/pull/pull-model.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { startHub } from "../../../../fakes/hub.ts";
import { tinyRepository } from "./tiny-repository.ts";

const directory = await mkdtemp(join(tmpdir(), "thormesh-disk-"));
/** A file system of 18 MB, where this user may mount one. */
const mounted =
  Bun.which("mount") !== null &&
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=18m", "none", directory], { stderr: "ignore" }).exitCode === 0;
afterAll(async () => {
  if (mounted) Bun.spawnSync(["umount", directory]);
  await rm(directory, { recursive: true, force: true });
});

test("more than fits is refused before anything is pulled", async () => {
  await expect(refuseFullDisk(directory, 1e18)).rejects.toThrow("MB free, expected");
  await refuseFullDisk(directory, 0);
});

test.each([
  { code: "ENOSPC", message: "the disk is full" },
  { code: "EDQUOT", message: "the disk is full" },
  { code: "ENOTDIR", message: "expected a directory for models, got a file" },
  { code: "EACCES", message: "can't be written to by this user" },
])("$code is told in plain words", ({ code, message }) => {
  const explained = explainDisk(Object.assign(new Error(code), { code }), "/models");
  expect(explained).toBeInstanceOf(PullError);
  expect((explained as Error).message).toContain(message);
});

test.skipIf(!mounted)(
  `a disk that fills up while a plain server sends: told, and its room given back${mounted ? "" : " (skipped: no file system may be mounted here)"}`,
  async () => {
    const repo = { ...(await tinyRepository()), "onnx/model.onnx": { content: new Uint8Array(30_000_000), lfs: true } };
    const hub = await startHub({ repos: { "acme/tiny": repo }, plain: true });
    try {
      const child = Bun.spawn([...selfCommand(), "models", "pull", "acme/tiny", "--url", hub.url, "--dir", directory], {
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
      expect(stderr).toContain("the disk is full");
      expect(code).toBe(1);
      expect(await readdir(directory)).toEqual([]);
    } finally {
      await hub.stop();
    }
  },
);
