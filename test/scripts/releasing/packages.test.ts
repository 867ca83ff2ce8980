import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildDeb, unitOf } from "../../../scripts/releasing/build-deb.ts";
import { buildImage } from "../../../scripts/releasing/build-image.ts";
import { releaseFacts } from "../../../scripts/releasing/release-facts.ts";
import { packAr, packTar, type TarEntry } from "../../../scripts/releasing/tar.ts";

const root = join(import.meta.dir, "..", "..", "..");
const directory = mkdtempSync(join(tmpdir(), "thormesh-packages-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const said = (...command: string[]) => {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: directory, env: { ...process.env, TZ: "UTC" } });
  return exitCode === 0 ? stdout.toString() : `${exitCode}: ${stderr}`;
};

const entries: readonly TarEntry[] = [
  { path: "usr/lib/library.so.1", kind: "link", target: "library.so.1.2" },
  { path: "usr/bin/program", kind: "file", mode: 0o755, content: "#!/bin/sh\n" },
  { path: "var/lib/thormesh", kind: "directory", mode: 0o700, owner: 65_532 },
  { path: `${"long/".repeat(30)}name`, kind: "file", mode: 0o644, content: new Uint8Array(513) },
];

describe("archives", () => {
  test("tar lists and unpacks what was packed, with the directories above", () => {
    writeFileSync(join(directory, "a.tar"), packTar(entries, 1_000_000_000));
    const lines = said("tar", "--numeric-owner", "-tvf", "a.tar").trim().split("\n");
    expect(lines.find((line) => line.endsWith("usr/bin/program"))).toMatch(/^-rwxr-xr-x 0\/0 +10 2001-09-09 01:46 /);
    expect(lines.find((line) => line.includes("library"))).toMatch(
      /^lrwxrwxrwx .* usr\/lib\/library.so.1 -> library.so.1.2$/,
    );
    expect(lines.find((line) => line.endsWith("var/lib/thormesh/"))).toStartWith("drwx------ 65532/65532");
    expect(lines.filter((line) => line.endsWith(" usr/"))).toHaveLength(1);
    expect(said("tar", "-xOf", "a.tar", `${"long/".repeat(30)}name`)).toHaveLength(513);
  });

  test("the same entries in another order make the same bytes", () => {
    expect(packTar([...entries].reverse(), 7)).toEqual(packTar(entries, 7));
    expect(packTar(entries, 8)).not.toEqual(packTar(entries, 7));
  });

  test("names that do not fit are refused", () => {
    const named = (path: string) => () => packTar([{ path, kind: "file", mode: 0o644, content: "" }], 0);
    expect(named("x".repeat(101))).toThrow("too long a name");
    expect(named("ä".repeat(51))).toThrow("too long a name");
    expect(named(`${"x".repeat(90)}/${"y".repeat(99)}`)).not.toThrow();
  });

  test("ar pads odd members", () => {
    const bytes = packAr(
      [
        ["odd", new Uint8Array(3)],
        ["even", new Uint8Array(2)],
      ],
      5,
    );
    expect(bytes.byteLength).toBe(8 + 60 + 4 + 60 + 2);
    expect(new TextDecoder().decode(bytes.subarray(8, 68))).toBe(
      `odd             5           0     0     100644  3         \`\n`,
    );
  });
});

const parts = {
  ...{ version: "1.2.0-rc.1", atS: 1_000_000_000, manualPages: { "thormesh-agent.1": ".TH X" }, level: 1 },
  completions: { bash: "b", zsh: "z", fish: "f" },
};

describe("the Debian package", () => {
  const deb = buildDeb("arm64", new TextEncoder().encode("program"), parts);
  writeFileSync(join(directory, "a.deb"), deb);

  test("is read by dpkg-deb, and the same when it is made again", () => {
    expect(said("dpkg-deb", "-f", "a.deb", "Package", "Version", "Architecture")).toBe(
      "Package: thormesh\nVersion: 1.2.0~rc.1\nArchitecture: arm64\n",
    );
    expect(buildDeb("arm64", new TextEncoder().encode("program"), parts)).toEqual(deb);
  });

  test("has the program, the units and the configuration, which dpkg asks about before it replaces it", () => {
    const contents = said("dpkg-deb", "-c", "a.deb");
    expect(contents).toMatch(/^-rwxr-xr-x 0\/0 .* \.\/usr\/bin\/thormesh$/m);
    expect(contents).toMatch(/^-rw-r----- 0\/0 .* \.\/etc\/thormesh\/agent\.yaml$/m);
    expect(contents).toMatch(/^-rw------- 0\/0 .* \.\/etc\/default\/thormesh-controller$/m);
    expect(contents).toContain("./lib/systemd/system/thormesh-power@.service");
    expect(contents).toContain("./usr/share/man/man1/thormesh-agent.1.gz");
    const conffiles = said("dpkg-deb", "-I", "a.deb", "conffiles").trim().split("\n");
    expect(conffiles.sort()).toEqual(
      ["default/thormesh-agent", "default/thormesh-controller", "thormesh/agent.yaml", "thormesh/controller.yaml"].map(
        (name) => `/etc/${name}`,
      ),
    );
  });

  test("its units are those of deploy/, for a program in /usr/bin", () => {
    for (const name of ["thormesh-agent.service", "thormesh-controller.service", "thormesh-power@.service"]) {
      expect(unitOf(name)).toContain("ExecStart=/usr/bin/thormesh ");
      expect(unitOf(name)).not.toContain("/usr/local/");
      expect(unitOf(name).split("\n").length).toBeGreaterThanOrEqual(
        readFileSync(join(root, "deploy", name), "utf8").split("\n").length - 1,
      );
    }
  });

  test.each(["postinst", "prerm", "postrm"])("%s is a shell script", (name) => {
    expect(said("sh", "-n", join(root, "scripts/releasing/debian", name))).toBe("");
  });
});

test("an image has each blob under its hash, and one entry for each machine", async () => {
  const executable = new TextEncoder().encode("program");
  const machines = (["amd64", "arm64"] as const).map((architecture) => ({
    architecture,
    libraries: entries,
    executable,
  }));
  const image = buildImage(machines, { version: "1.2.0", atS: 5, revision: "r" });
  writeFileSync(join(directory, "image.tar"), image);
  expect(said("sh", "-c", "mkdir image && tar -xf image.tar -C image")).toBe("");
  const blob = (digest: string) => Bun.file(join(directory, "image/blobs/sha256", digest.replace("sha256:", "")));
  for (const name of new Bun.Glob("*").scanSync(join(directory, "image/blobs/sha256")))
    expect(new Bun.CryptoHasher("sha256").update(await blob(name).bytes()).digest("hex")).toBe(name);
  const index = await Bun.file(join(directory, "image/index.json")).json();
  expect(index.manifests).toHaveLength(1);
  const { manifests } = await blob(index.manifests[0].digest).json();
  expect(manifests.map((each: { platform: { architecture: string } }) => each.platform.architecture)).toEqual([
    "amd64",
    "arm64",
  ]);
  const manifest = await blob(manifests[1].digest).json();
  const config = await blob(manifest.config.digest).json();
  expect(config).toMatchObject({
    architecture: "arm64",
    created: "1970-01-01T00:00:05Z",
    config: { User: "65532:65532", StopSignal: "SIGTERM" },
  });
  const layer = Bun.gunzipSync(await blob(manifest.layers[1].digest).bytes());
  expect(config.rootfs.diff_ids[1]).toBe(`sha256:${new Bun.CryptoHasher("sha256").update(layer).digest("hex")}`);
  expect(buildImage(machines, { version: "1.2.0", atS: 5, revision: "r" })).toEqual(image);
});

describe("facts of a release", () => {
  const options = { "expires-days": "180", "min-version": "0.0.0", revoked: "" };
  test("its time is the commit's", () => {
    const { atS, releasedAt, revision } = releaseFacts(root, "1.2.0", options);
    expect(said("git", "-C", root, "log", "-1", "--format=%ct %H").trim()).toBe(`${atS} ${revision}`);
    expect(new Date(releasedAt).getTime()).toBe(atS * 1000);
  });

  test.each([
    ["expires-days", "0", "--expires-days: expected an integer from 1 to 3650"],
    ["expires-days", "soon", "--expires-days: expected an integer"],
    ["min-version", "1.2", "minVersion: expected a version such as 1.2.0"],
    ["revoked", "1.1.0,old", "revoked.1: expected a version such as 1.2.0"],
  ])("refused before anything is built: %s %s", (option, value, reason) => {
    expect(() => releaseFacts(root, "1.2.0", { ...options, [option]: value })).toThrow(reason);
  });
});
