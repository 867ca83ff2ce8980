/** See scripts/release and docs/releasing.md. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { version } from "#platform/version.ts";
import { parseReleaseKeys } from "#protocol/release/release-keys.ts";
import { manifestName } from "#protocol/release/release-manifest.ts";
import { withReleaseKey } from "#tools/install/with-release-key.ts";
import { highestLevel } from "./build-compressed.ts";
import { type Architecture, architectures, buildExecutable, listBundled } from "./build-executable.ts";
import { billOfRelease } from "./releasing/bill-of-release.ts";
import { buildDeb, type DebParts } from "./releasing/build-deb.ts";
import { buildImage } from "./releasing/build-image.ts";
import { listFiles } from "./releasing/list-files.ts";
import { packByXz } from "./releasing/pack-by-xz.ts";
import { releaseFacts } from "./releasing/release-facts.ts";
import { parseSigningKey, publicKeyOf } from "./releasing/sign-file.ts";
import { type FileToRelease, writeManifest } from "./releasing/sign-release.ts";

const root = join(import.meta.dir, "..");
/** Names of the machines in Debian and in images. */
const machineNames = { x64: "amd64", arm64: "arm64" } as const;

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "all" },
    out: { type: "string", default: join(root, "dist", "release") },
    executables: { type: "string" },
    key: { type: "string" },
    level: { type: "string", default: String(highestLevel) },
    "no-image": { type: "boolean", default: false },
    "expires-days": { type: "string", default: "180" },
    "min-version": { type: "string", default: "0.0.0" },
    revoked: { type: "string", default: "" },
  },
});
const say = (text: string) => console.error(text);
const out = resolve(values.out);
const targets = architectures.filter((each) => values.target === "all" || values.target === each);
if (targets.length === 0) throw new Error(`--target: expected x64, arm64 or all, got "${values.target}"`);
const level = Number(values.level);
if (!Number.isInteger(level) || level < 1 || level > highestLevel)
  throw new Error(`--level: expected an integer from 1 to ${highestLevel}, got "${values.level}"`);
const facts = releaseFacts(root, version, values);
const secret =
  values.key === undefined ? process.env["THORMESH_SIGNING_KEY"] : await Bun.file(resolve(values.key)).text();
const key = secret === undefined ? null : parseSigningKey(secret);
const releaseKeys = process.env["THORMESH_RELEASE_KEYS"] ?? "";
const publicKey = key === null ? null : publicKeyOf(key);
const knownKeys = parseReleaseKeys(releaseKeys);
if (publicKey !== null && knownKeys.length > 0 && !knownKeys.some(({ id }) => id === publicKey.id))
  throw new Error(
    `--key: expected one of the keys of THORMESH_RELEASE_KEYS (${knownKeys.map(({ id }) => id).join(", ")}), got ${publicKey.id}: the executables would refuse the next release`,
  );

const files: FileToRelease[] = [];
const add = async (file: FileToRelease, bytes: Uint8Array | string | Blob): Promise<void> => {
  await Bun.write(join(out, file.name), bytes);
  files.push(file);
  say(`${file.name}: ${(Bun.file(join(out, file.name)).size / 1e6).toFixed(1)} MB`);
};

/** Runs a command of the program from its sources. */
async function program(...words: string[]): Promise<string> {
  return await Bun.$`${process.execPath} ${join(root, "main.ts")} ${words}`.quiet().text();
}

/** Manual pages and completions, as the program itself writes them. */
async function debParts(): Promise<DebParts> {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-man-"));
  try {
    await program("man", "--dir", directory);
    const manualPages = Object.fromEntries(
      await Promise.all(
        (await readdir(directory))
          .sort()
          .map(async (name) => [name, await Bun.file(join(directory, name)).text()] as const),
      ),
    );
    const [bash, zsh, fish] = await Promise.all(["bash", "zsh", "fish"].map((shell) => program("completion", shell)));
    if (bash === undefined || zsh === undefined || fish === undefined) throw new Error("a completion is missing");
    return { version, atS: facts.atS, manualPages, completions: { bash, zsh, fish }, level };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function executableOf(architecture: Architecture): Promise<Uint8Array<ArrayBuffer>> {
  const name = `thormesh-linux-${architecture}`;
  const path = join(out, name);
  if (values.executables === undefined)
    await buildExecutable(architecture, path, { level, releaseKeys, sourceTimeS: facts.atS });
  else await Bun.write(path, Bun.file(join(resolve(values.executables), name)));
  await Bun.$`chmod 755 ${path}`.quiet();
  files.push({ name, kind: "executable", target: `linux-${architecture}` });
  return await Bun.file(path).bytes();
}

async function librariesOf(architecture: Architecture): Promise<ReturnType<typeof listFiles>> {
  const directory = await mkdtemp(join(tmpdir(), "thormesh-libraries-"));
  try {
    await Bun.$`${join(root, "scripts/releasing/fetch-libraries")} ${machineNames[architecture]} ${directory}`;
    return listFiles(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const parts = await debParts();
const images: Parameters<typeof buildImage>[0][number][] = [];
for (const architecture of targets) {
  const target = `linux-${architecture}` as const;
  const executable = await executableOf(architecture);
  const name = `thormesh-linux-${architecture}`;
  await add({ name: `${name}.zst`, kind: "executable-zst", target }, await Bun.zstdCompress(executable, { level }));
  const packed = await packByXz(join(out, name), architecture, level);
  await add({ name: `${name}.xz`, kind: "executable-xz", target }, packed);
  const machine = machineNames[architecture];
  await add({ name: `thormesh_${version}_${machine}.deb`, kind: "deb", target }, buildDeb(machine, executable, parts));
  if (!values["no-image"])
    images.push({ architecture: machine, libraries: await librariesOf(architecture), executable });
}
if (images.length > 0)
  await add(
    { name: `thormesh-${version}.oci.tar`, kind: "oci-image", target: null },
    buildImage(images, { version, atS: facts.atS, revision: facts.revision }),
  );
const bill = `${JSON.stringify(billOfRelease(await listBundled()), null, 2)}\n`;
await add({ name: "thormesh.cdx.json", kind: "sbom", target: null }, bill);
await add({ name: "licences.txt", kind: "licences", target: null }, await program("licences"));
const installer = withReleaseKey(await Bun.file(join(root, "scripts", "install.sh")).text(), publicKey);
await add({ name: "install.sh", kind: "installer", target: null }, installer);
const manifest = await writeManifest(out, facts, files, key);
for (const { name, sha256 } of manifest.files) await Bun.write(join(out, `${name}.sha256`), `${sha256}  ${name}\n`);
say(
  `${join(out, manifestName)}: ${version}, ${manifest.files.length} files, ${key === null ? "not signed: --key names no key" : "signed"}`,
);
