import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashBytes } from "#protocol/release/file-hashes.ts";
import { readSmall } from "#tools/update/release/ask-server.ts";
import { downloadRelease } from "#tools/update/release/download-release.ts";
import { checkForUpdate, runRollback, runUpdate, type UpdateRequest } from "#tools/update/run-update.ts";
import type { UpdateConfig } from "#tools/update/update-config.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import {
  createSigningKey,
  type FakeRelease,
  installVersion,
  ownTarget,
  type ReleaseServer,
  releaseFiles,
  releaseTimeMs,
  serveReleases,
  tinyProgram,
} from "../../fakes/releases.ts";

const key = createSigningKey();
const dayMs = 86_400_000;
const plain: UpdateRequest = { version: null, file: null, allowDowngrade: false, allowExpired: false, byFleet: false };
const say = () => {};

let directory: ReturnType<typeof temporaryDirectory>;
let server: ReleaseServer;
let config: UpdateConfig;

beforeEach(() => {
  directory = temporaryDirectory();
  server = serveReleases();
  const prefix = join(directory.path, "lib");
  installVersion(prefix, "0.1.0");
  config = {
    ...{ url: server.url, prefix, link: null, publicKeys: [key.publicKey], services: [], restartCommand: null },
    ...{ healthWindowS: 1, startWithinS: 1, minBytesPerS: 1 },
  };
});
afterEach(() => {
  server.stop();
  directory.remove();
});

const publish = (release: Partial<FakeRelease> = {}, at = "", by = key) => {
  const version = release.version ?? "0.2.0";
  const files = releaseFiles(by, { version, executable: tinyProgram(version), ...release });
  server.publish(files, at);
  return files;
};
const name = `thormesh-${ownTarget}`;
const inForce = () => readlinkSync(join(config.prefix, "current")).split("/").at(-1);

/** Runs an update that must be refused with this text, and leave all as it was. */
async function refused(text: string, request: Partial<UpdateRequest> = {}): Promise<void> {
  const error = await runUpdate(config, { ...plain, ...request }, say).catch((thrown: Error) => thrown);
  expect(error).toBeInstanceOf(Error);
  const said = [(error as Error).message, String((error as Error).cause ?? "")].join(": ");
  expect(said).toContain(text);
  expect(inForce()).toBe("0.1.0");
}

test("a release comes into force, and the version before can be gone back to", async () => {
  publish();
  const outcome = await runUpdate(config, plain, say);
  expect(outcome).toEqual({ state: "healthy", version: "0.2.0", reason: "0.2.0 is healthy" });
  expect(inForce()).toBe("0.2.0");
  expect(await runUpdate(config, plain, say)).toMatchObject({
    version: "0.2.0",
    reason: "0.2.0 is the newest version",
  });
  expect(await runRollback(config, say)).toMatchObject({ state: "returned", version: "0.1.0" });
  expect(inForce()).toBe("0.1.0");
  await expect(runRollback(config, say)).rejects.toThrow("there is no version before 0.1.0 to roll back to");
});

test("a compressed file is fetched where there is one", async () => {
  publish({ compressed: true });
  await runUpdate(config, plain, say);
  expect(server.asked).toContain(`${name}.zst`);
  expect(server.asked).not.toContain(name);
  expect(readFileSync(join(config.prefix, "versions/0.2.0/thormesh"), "utf8")).toContain("thormesh 0.2.0");
});

test("what was verified once is not fetched again", async () => {
  publish();
  await runUpdate(config, plain, say);
  await runRollback(config, say);
  server.asked.splice(0);
  await runUpdate(config, plain, say);
  expect(inForce()).toBe("0.2.0");
  expect(server.asked).not.toContain(name);
});

describe("rollback attack", () => {
  test("an older release is not taken for the newest", async () => {
    publish({ version: "0.0.9" });
    await refused("0.0.9 is older than the running version 0.1.0");
  });

  test("an older manifest of a newer version is not taken, once a newer manifest was seen", async () => {
    publish({ version: "0.3.0" });
    await checkForUpdate(config, plain, say);
    publish({ version: "0.2.0", releasedAtMs: releaseTimeMs - dayMs });
    await refused("is older than one that this machine has seen");
  });

  test("an older version is taken when someone asks for it", async () => {
    publish({ version: "0.0.9" }, "0.0.9");
    await refused("0.0.9 is older than the running version 0.1.0", { version: "0.0.9" });
    expect(await runUpdate(config, { ...plain, version: "0.0.9", allowDowngrade: true }, say)).toMatchObject({
      version: "0.0.9",
    });
  });
});

describe("freeze attack", () => {
  test("a manifest that has ended is not taken, whatever the clock says", async () => {
    publish({ releasedAtMs: Date.UTC(2026, 9, 1), expiresAtMs: Date.UTC(2026, 10, 1) });
    await refused("newer releases may have been withheld");
  });

  test("a manifest that was seen moves the time on, where the clock does not", async () => {
    publish({ version: "0.3.0", releasedAtMs: Date.UTC(2035, 0, 1) });
    await checkForUpdate(config, plain, say);
    publish({ version: "0.2.0", expiresAtMs: Date.UTC(2034, 0, 1) }, "0.2.0");
    await refused("newer releases may have been withheld", { version: "0.2.0" });
  });
});

describe("mix-and-match attack", () => {
  test("a file of another release is not taken", async () => {
    publish();
    server.files.set(name, tinyProgram("0.3.0"));
    await refused("expected sha256");
    expect(readdirSync(join(config.prefix, "versions"))).toEqual(["0.1.0"]);
  });

  test("a manifest with the signature of another one is not taken", async () => {
    const other = publish({ version: "0.3.0" });
    publish();
    server.files.set("manifest.json.minisig", other.get("manifest.json.minisig") as never);
    await refused("is not trusted");
  });

  test("a manifest in the place of another version is not taken", async () => {
    publish({ version: "0.3.0" }, "0.2.0");
    await refused("the manifest is for 0.3.0, expected 0.2.0", { version: "0.2.0" });
  });

  test("a file that says it is another version is not taken", async () => {
    publish({ executable: tinyProgram("0.3.0") });
    await refused("the file of 0.2.0 identifies itself as 0.3.0");
  });

  test("a compressed file that holds another one is not taken", async () => {
    const files = publish({ compressed: true });
    const other = new Uint8Array(Bun.zstdCompressSync(tinyProgram("0.3.0")));
    const manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json")));
    Object.assign(manifest.files[1], hashBytes(other));
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const about = { file: "manifest.json", version: "0.2.0", target: "any", timestamp: releaseTimeMs / 1000 };
    server.files.set("manifest.json", bytes);
    server.files.set("manifest.json.minisig", new TextEncoder().encode(key.sign(bytes, about)));
    server.files.set(`${name}.zst`, other);
    await refused("expected sha256");
  });
});

describe("endless data attack", () => {
  const endless = (piece: Uint8Array) =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) }, { highWaterMark: 1 }));

  test("a manifest without an end is read no further than its limit", async () => {
    server.answer = (path) => (path === "manifest.json" ? endless(new Uint8Array(65_536)) : null);
    await refused("expected at most 262144 bytes");
  });

  test("a file without an end is read no further than the manifest says", async () => {
    publish();
    server.answer = (path) => (path === name ? endless(new Uint8Array(4096)) : null);
    await refused("sends more");
  });

  test("a compressed file that expands beyond what the manifest says is not written out", async () => {
    const huge = new Uint8Array(8 * 1024 * 1024);
    const files = publish({ compressed: true, executable: huge });
    const manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json")));
    Object.assign(manifest.files[0], hashBytes(new Uint8Array(10)));
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const about = { file: "manifest.json", version: "0.2.0", target: "any", timestamp: releaseTimeMs / 1000 };
    server.files.set("manifest.json", bytes);
    server.files.set("manifest.json.minisig", new TextEncoder().encode(key.sign(bytes, about)));
    await refused("the compressed file holds more");
  });

  test("redirects without an end are not followed for ever", async () => {
    server.answer = (path) => Response.redirect(`${server.url}/${path}x`, 302);
    await refused("redirects more than 5 times");
  });
});

describe("wrong target", () => {
  test("a release for other machines has nothing for this one", async () => {
    publish({ target: "linux-riscv64" });
    await refused("has no file for this kind of machine");
  });

  test("a file that does not run here is not put into force", async () => {
    publish({ executable: new TextEncoder().encode("\x7fELF\x02\x01\x01 not of this machine") });
    await refused("0.2.0 does not run on this machine");
  });

  test("a version that does not take this device's configuration is not put into force", async () => {
    const path = join(directory.path, "agent.yaml");
    writeFileSync(path, "{}");
    config = { ...config, services: [{ kind: "agent", config: path, unit: null, url: null }] };
    publish({
      executable: tinyProgram("0.2.0", '[ "$1" = config ] && { echo "serving.old: unknown key" >&2; exit 2; }'),
    });
    await refused("0.2.0 does not accept this device's configuration");
    await refused("so the fleet's orders do not try it again", { byFleet: true });
  });

  test("a version that fails a check which the present one passes is not put into force", async () => {
    config = { ...config, services: [{ kind: "agent", config: null, unit: null, url: null }] };
    const failing = '{"checks": [{"name": "model", "status": "failed", "detail": "no vectors"}]}';
    publish({ executable: tinyProgram("0.2.0", `[ "$1" = doctor ] && { echo '${failing}'; exit 1; }`) });
    await refused("0.2.0 fails checks that the present version passes: model: no vectors");
  });
});

describe("slow retrieval attack", () => {
  const limits = { answerWithinMs: 60_000, minBytesPerS: 1_000, rateOverMs: 40, retryAfterMs: 1 };

  test("a server that sends too little is given up", async () => {
    server.answer = () =>
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(5)) }));
    const target = join(directory.path, "part");
    const download = { url: new URL(name, server.url), bytes: 10_000, target, limits, sleep: async () => {} };
    await expect(downloadRelease({ ...download, onProgress: () => {} })).rejects.toThrow("at less than 1000 bytes/s");
  });

  test("a manifest that does not come is not waited for", async () => {
    server.answer = () => new Response(new ReadableStream({}));
    const url = new URL("manifest.json", server.url);
    await expect(readSmall(url, 100, { ...limits, answerWithinMs: 50 })).rejects.toThrow(
      "did not send /manifest.json within",
    );
  });
});

describe("key compromise", () => {
  test("a release that another key signed is not taken", async () => {
    publish({}, "", createSigningKey());
    await refused("is not trusted");
  });

  test("a build without keys takes nothing", async () => {
    publish();
    config = { ...config, publicKeys: [] };
    await refused("has no release key");
  });

  test("after a rotation both keys count, and then the new one alone", async () => {
    const next = createSigningKey();
    publish({}, "", next);
    config = { ...config, publicKeys: [key.publicKey, next.publicKey] };
    expect(await runUpdate(config, plain, say)).toMatchObject({ version: "0.2.0" });
    config = { ...config, publicKeys: [next.publicKey] };
    publish({ version: "0.3.0" });
    await expect(runUpdate(config, plain, say)).rejects.toThrow("is not trusted");
  });

  test("a version that was called back is not installed, also after the manifest that said so is gone", async () => {
    publish({ version: "0.3.0", revoked: ["0.2.0"] });
    await checkForUpdate(config, plain, say);
    publish({ version: "0.2.0", releasedAtMs: releaseTimeMs + dayMs });
    await refused("0.2.0 was withdrawn");
    await refused("0.2.0 was withdrawn", { allowDowngrade: true, allowExpired: true });
  });
});

describe("what is here already", () => {
  test("an edited executable is not gone back to", async () => {
    publish();
    await runUpdate(config, plain, say);
    writeFileSync(join(config.prefix, "versions/0.1.0/thormesh"), `${tinyProgram("0.1.0")}\n# edited`);
    await expect(runRollback(config, say)).rejects.toThrow("was changed since it was installed");
  });

  test("a file from a stick is taken by its own signature", async () => {
    const bytes = tinyProgram("0.2.0");
    const path = join(directory.path, name);
    writeFileSync(path, bytes);
    const about = { file: name, version: "0.2.0", target: ownTarget, timestamp: releaseTimeMs / 1000 };
    writeFileSync(`${path}.minisig`, key.sign(bytes, about));
    await expect(runUpdate({ ...config, url: null }, { ...plain, file: path }, say)).resolves.toMatchObject({
      version: "0.2.0",
    });
  });

  test("a file from a stick is taken by the manifest beside it", async () => {
    for (const [each, bytes] of releaseFiles(key, {
      version: "0.2.0",
      executable: tinyProgram("0.2.0"),
      compressed: true,
    }))
      writeFileSync(join(directory.path, each), bytes);
    const path = join(directory.path, `${name}.zst`);
    expect(await runUpdate(config, { ...plain, file: path }, say)).toMatchObject({ version: "0.2.0" });
  });

  test("a file for another machine is not taken by its own signature", async () => {
    const path = join(directory.path, name);
    writeFileSync(path, tinyProgram("0.2.0"));
    const about = { file: name, version: "0.2.0", target: "linux-riscv64", timestamp: releaseTimeMs / 1000 };
    writeFileSync(`${path}.minisig`, key.sign(tinyProgram("0.2.0"), about));
    await refused("has no file for this kind of machine", { file: path });
  });

  test("a file without a signature is not taken", async () => {
    const path = join(directory.path, name);
    writeFileSync(path, tinyProgram("0.2.0"));
    await refused("next to it", { file: path });
  });
});

describe("a network that fails", () => {
  test("a download that was cut is continued where it ended", async () => {
    const executable = tinyProgram("0.2.0", `# ${"long ".repeat(2_000)}`);
    publish({ executable });
    let cut = false;
    server.answer = (path) => {
      if (path !== name || cut) return null;
      cut = true;
      return new Response(executable.slice(0, 5_000));
    };
    await runUpdate(config, plain, say);
    expect(inForce()).toBe("0.2.0");
    expect(server.asked).toContain(`${name} from 5000`);
  });

  test("a server that does not continue begins again", async () => {
    const executable = tinyProgram("0.2.0", `# ${"long ".repeat(2_000)}`);
    publish({ executable });
    let answers = 0;
    server.answer = (path) => {
      if (path !== name) return null;
      answers += 1;
      return new Response(answers === 1 ? executable.slice(0, 5_000) : executable);
    };
    await runUpdate(config, plain, say);
    expect(inForce()).toBe("0.2.0");
  });

  test("a server that is away changes nothing", async () => {
    server.stop();
    await refused("can't be reached");
    expect(existsSync(join(config.prefix, "versions/0.1.0/thormesh"))).toBe(true);
  });

  test.each([404, 500])("a server that answers %p changes nothing", async (status) => {
    server.answer = () => new Response("no", { status });
    await refused(`answered ${status}`);
  });
});
