import { readFileSync } from "node:fs";
import { join } from "node:path";
import { initialConfig } from "../../cli/config/initial-config.ts";
import { packAr, packTar, type TarEntry } from "./tar.ts";

const root = join(import.meta.dir, "..", "..");
const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");

/** Parts of a Debian package that do not depend on the machine. */
export interface DebParts {
  readonly version: string;
  /** Time of the release, in seconds since 1970. */
  readonly atS: number;
  /** By file name. */
  readonly manualPages: Readonly<Record<string, string>>;
  readonly completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
  /** Level of zstd for the content. */
  readonly level: number;
}

const roles = ["agent", "controller"] as const;
const units = [
  "thormesh-agent.service",
  "thormesh-controller.service",
  "thormesh-power.socket",
  "thormesh-power@.service",
];

/** Units as Debian has them: the program lies in /usr/bin, and dpkg, not the guard of `thormesh update`, brings versions into force. */
export function unitOf(name: string): string {
  return read("deploy", name)
    .split("\n")
    .filter((line) => !line.includes("/boot-check"))
    .join("\n")
    .replaceAll("/usr/local/share/doc/", "/usr/share/doc/")
    .replaceAll("/usr/local/bin/", "/usr/bin/");
}

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: thormesh
Comment: Of everything inside the program, \`thormesh licences\` prints the licences.

Files: *
Copyright: the thormesh authors
License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
`;

function filesOf(executable: Uint8Array, parts: DebParts): TarEntry[] {
  const file = (path: string, content: string | Uint8Array, mode = 0o644): TarEntry => ({
    path,
    kind: "file",
    mode,
    content,
  });
  const doc = "usr/share/doc/thormesh";
  return [
    file("usr/bin/thormesh", executable, 0o755),
    ...units.map((name) => file(`lib/systemd/system/${name}`, unitOf(name))),
    ...roles.flatMap((role) => [
      file(
        `etc/thormesh/${role}.yaml`,
        initialConfig(role).replace(/^#stateDir: .*$/m, `stateDir: /var/lib/thormesh-${role}`),
        0o640,
      ),
      file(
        `etc/default/thormesh-${role}`,
        `# Read by root alone. Secrets can stand here: THORMESH_SERVER_API_KEY, THORMESH_MQTT_PASSWORD; each key of the\n# configuration has a variable, too.\n${role.toUpperCase()}_OPTIONS="--config /etc/thormesh/${role}.yaml"\n`,
        0o600,
      ),
    ]),
    ...Object.entries(parts.manualPages).map(([name, page]) =>
      file(`usr/share/man/man1/${name}.gz`, Bun.gzipSync(page, { level: 9 })),
    ),
    file("usr/share/bash-completion/completions/thormesh", parts.completions.bash),
    file("usr/share/zsh/vendor-completions/_thormesh", parts.completions.zsh),
    file("usr/share/fish/vendor_completions.d/thormesh.fish", parts.completions.fish),
    file(`${doc}/copyright`, copyright),
    file(`${doc}/CHANGELOG.md`, read("CHANGELOG.md")),
    file(`${doc}/README.md`, read("README.md")),
    file(`${doc}/examples/thormesh-power.sudoers`, read("deploy", "thormesh-power.sudoers")),
  ];
}

/** Version as Debian orders it: a release before 1.2.0 has a tilde. */
const debianVersion = (version: string) => version.replace("-", "~");

const controlOf = (architecture: "amd64" | "arm64", installedKib: number, version: string) => `Package: thormesh
Version: ${debianVersion(version)}
Architecture: ${architecture}
Maintainer: the thormesh authors <noreply@thormesh.invalid>
Installed-Size: ${installedKib}
Depends: libc6 (>= 2.28), libstdc++6 (>= 8), libgcc-s1 | libgcc1, passwd
Recommends: ca-certificates, systemd
Section: net
Priority: optional
Description: embedding server, traffic forecaster and fleet controller for Jetson
 One executable with its model: thormesh-agent.service serves embeddings on a
 device, forecasts its traffic and sets its power mode;
 thormesh-controller.service decides for a fleet of them and counts its cost.
`;

/** Makes a Debian package, the same from the same parts. */
export function buildDeb(
  architecture: "amd64" | "arm64",
  executable: Uint8Array,
  parts: DebParts,
): Uint8Array<ArrayBuffer> {
  const files = filesOf(executable, parts);
  const contents = files.flatMap((entry) =>
    entry.kind === "file" ? [{ path: entry.path, content: Buffer.from(entry.content) }] : [],
  );
  const kib = contents.reduce((sum, { content }) => sum + Math.ceil(content.byteLength / 1024), 0);
  const sums = contents
    .filter(({ path }) => !path.startsWith("etc/"))
    .map(({ path, content }) => `${new Bun.CryptoHasher("md5").update(content).digest("hex")}  ${path}\n`);
  const script = (name: string): TarEntry => ({
    path: name,
    kind: "file",
    mode: 0o755,
    content: read("scripts", "releasing", "debian", name),
  });
  const text = (path: string, content: string): TarEntry => ({ path, kind: "file", mode: 0o644, content });
  const control = [
    text("control", controlOf(architecture, kib, parts.version)),
    text("conffiles", contents.flatMap(({ path }) => (path.startsWith("etc/") ? [`/${path}\n`] : [])).join("")),
    text("md5sums", sums.join("")),
    ...["postinst", "prerm", "postrm"].map(script),
  ];
  return packAr(
    [
      ["debian-binary", new TextEncoder().encode("2.0\n")],
      ["control.tar.gz", Bun.gzipSync(packTar(control, parts.atS, "./"), { level: 9 })],
      ["data.tar.zst", Bun.zstdCompressSync(packTar(files, parts.atS, "./"), { level: parts.level })],
    ],
    parts.atS,
  );
}
