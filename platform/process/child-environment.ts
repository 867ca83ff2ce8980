type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Kind of a child process. `command`: a tool of the system or a command of the operator. `worker`: this program, computing for its parent.
 * `service`: this program as an agent or controller of its own.
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
/** Configuration of Debian's emulator for other processors, which runs this program's own processes too. */
const emulation = ["QEMU_LD_PREFIX", "QEMU_CPU"];
const computing = ["CUDA_", "NVIDIA_", "ORT_", "OMP_", "TF_", "MALLOC_", "MIMALLOC_"];

/** Names and prefixes of the variables that reach a child, by its kind. */
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

/** Names that are left out although their prefix is allowed, like NVIDIA_API_KEY. */
const soundsSecret = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH/i;

/**
 * Returns the environment of a child process: the variables of this process that such a child needs to run, and the given ones. Keys, passwords
 * and tokens in this process' environment don't reach its children.
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
