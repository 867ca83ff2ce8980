type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Kinds of child processes. `command`: a tool of the system's, or a command of the operator's. `worker`: this program, computing for its parent. `service`: this
 * program as an agent or controller of its own.
 */
export type ChildKind = "command" | "worker" | "service";

const always = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"];
const places = [
  "STATE_DIRECTORY",
  "CACHE_DIRECTORY",
  "RUNTIME_DIRECTORY",
  "THORMESH_CACHE_DIR",
  "THORMESH_ONNXRUNTIME_DIR",
];
const loading = ["LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES"];
const trust = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];
/** This program's own processes run under the emulator that it runs under: Debian's for other processors is configured by these. */
const emulation = ["QEMU_LD_PREFIX", "QEMU_CPU"];
const computing = ["CUDA_", "NVIDIA_", "ORT_", "OMP_", "TF_", "MALLOC_", "MIMALLOC_"];

/** By kind: names, and beginnings of names. Nothing else of this process' environment reaches a child. */
const allowed: Readonly<
  Record<ChildKind, { readonly names: ReadonlySet<string>; readonly prefixes: readonly string[] }>
> = {
  command: { names: new Set([...always, "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH"]), prefixes: ["LC_"] },
  worker: { names: new Set([...always, ...places, ...loading, ...emulation]), prefixes: ["LC_", "XDG_", ...computing] },
  service: {
    names: new Set([...always, ...places, ...loading, ...emulation, ...trust]),
    prefixes: ["LC_", "XDG_", ...computing],
  },
};

/** Also where the beginning of the name is allowed, as NVIDIA_API_KEY. */
const soundsSecret = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH/i;

/**
 * The environment of a child process: of this process' own only what such a child needs to run, by name, and what it is given. Keys, passwords and tokens in
 * this process' environment are not for its children.
 */
export function childEnvironment(
  kind: ChildKind,
  given: Readonly<Record<string, string>> = {},
  own: Environment = process.env,
): Record<string, string> {
  const { names, prefixes } = allowed[kind];
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) continue;
    const byPrefix = prefixes.some((prefix) => name.startsWith(prefix)) && !soundsSecret.test(name);
    if (names.has(name) || byPrefix) environment[name] = value;
  }
  return { ...environment, ...given };
}
