/** Checks rendered manifests: bun check-manifests.ts FILE… Prints each fault and ends with 1. For scripts/check-chart. */
import { basename } from "node:path";
import { parseAllDocuments } from "yaml";
import { AgentConfig } from "#agent/config.ts";
import { ControllerConfig } from "#controller/config.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { parseConfig } from "#platform/files/read-config.ts";

interface Container {
  readonly ports: readonly { readonly name: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly limits?: { readonly memory?: string } };
  readonly volumeMounts: readonly { readonly name: string }[];
  readonly startupProbe?: unknown;
  readonly livenessProbe?: unknown;
  readonly readinessProbe?: unknown;
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Labels } & Labels;
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly containers: readonly Container[];
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly volumes: readonly { readonly name: string }[];
        readonly automountServiceAccountToken?: boolean;
      };
    };
  };
}
type Labels = Readonly<Record<string, string>>;

const configs = { "agent.yaml": AgentConfig, "controller.yaml": ControllerConfig };
let faults = 0;
const expect = (holds: boolean, where: string, expected: string) => {
  if (holds) return;
  faults += 1;
  console.error(`${where}: expected ${expected}`);
};

/** Checks what Kubernetes' restricted profile asks for, and what a service should have besides. */
function checkPod({ spec }: Manifest, where: string): void {
  const pod = spec.template.spec;
  const volumes = [...pod.volumes, ...(spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata)];
  expect(pod.securityContext["runAsNonRoot"] === true, where, "runAsNonRoot");
  expect(Bun.deepEquals(pod.securityContext["seccompProfile"], { type: "RuntimeDefault" }), where, "a seccomp profile");
  expect(pod.automountServiceAccountToken === false, where, "no token of the cluster");
  for (const container of pod.containers) {
    const { securityContext: security, resources, volumeMounts } = container;
    expect(security["allowPrivilegeEscalation"] === false, where, "no privilege escalation");
    expect(security["readOnlyRootFilesystem"] === true, where, "a root that can't be written");
    expect(Bun.deepEquals(security["capabilities"], { drop: ["ALL"] }), where, "no capabilities");
    expect(resources.limits?.memory !== undefined, where, "a limit of memory");
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"] as const)
      expect(container[probe] !== undefined, where, probe);
    for (const { name } of volumeMounts)
      expect(
        volumes.some((volume) => volume.name === name),
        where,
        `a volume ${name}`,
      );
  }
}

/** True if the labels of a pod are those that are looked for. */
const matches = (labels: Labels, wanted: Labels) =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);

function checkFile(manifests: readonly Manifest[], file: string): void {
  const owners = manifests.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
  expect(owners.length > 0, file, "something that runs");
  for (const manifest of manifests) {
    const where = `${file}: ${manifest.kind} ${manifest.metadata.name}`;
    for (const [name, text] of Object.entries(manifest.data ?? {}))
      parseConfig(configs[name as keyof typeof configs], parseYaml(text, where), where);
    if (owners.includes(manifest)) checkPod(manifest, where);
    const selector =
      manifest.spec?.podSelector?.matchLabels ?? manifest.spec?.selector?.matchLabels ?? manifest.spec?.selector;
    if (selector === undefined || manifest.kind === "ServiceMonitor") continue;
    const selected = owners.filter(({ spec }) => matches(spec.template.metadata.labels, selector as Labels));
    expect(selected.length === 1, where, `to select one of the pods, got ${selected.length}`);
    if (manifest.kind !== "Service") continue;
    for (const { targetPort } of manifest.spec.ports ?? [])
      expect(
        selected.some(({ spec }) =>
          spec.template.spec.containers.some(({ ports }) => ports.some(({ name }) => name === targetPort)),
        ),
        where,
        `a container's port ${targetPort}`,
      );
  }
}

for (const file of process.argv.slice(2)) {
  const documents = parseAllDocuments(await Bun.file(file).text());
  const errors = Array.isArray(documents) ? documents.flatMap((document) => document.errors) : [];
  for (const error of errors) expect(false, basename(file), `YAML, got ${error.message}`);
  const manifests = (Array.isArray(documents) ? documents : []).map((document) => document.toJS() as Manifest | null);
  checkFile(
    manifests.filter((manifest) => manifest !== null),
    basename(file),
  );
}
process.exit(faults === 0 ? 0 : 1);
