import { agentDataMap } from "#agent/privacy/agent-data-map.ts";
import { controllerDataMap } from "#controller/privacy/controller-data-map.ts";
import { type DataStore, nothingPersonal } from "#platform/files/data-store.ts";

const file = { of: "tool", kind: "file", ...nothingPersonal } as const;

const toolDataMap: readonly DataStore[] = [
  {
    ...{ ...file, id: "exports (--out)", personal: "names", tenant: "kept" },
    holds: "exported files: audit log, evidence, tenants, costs, reports",
    ...{ purpose: "as the exporting user wishes", kept: "until someone removes it" },
    writtenBy: [
      "cli/access/audit.ts",
      "cli/access/evidence.ts",
      "cli/access/tenant-jobs.ts",
      "cli/backtest.ts",
      "cli/cost/cost-reports.ts",
      "cli/forecast/forecast-backtest.ts",
    ],
  },
  {
    ...{ ...file, id: "manual pages (--dir)", holds: "the commands' manual pages" },
    ...{ purpose: "thormesh man", kept: "until someone removes them" },
    writtenBy: ["cli/about/man.ts", "tools/install/service-files.ts"],
  },
  {
    ...{ ...file, id: "bundle for a bug report (--out)", personal: "names", tenant: "kept" },
    holds: "version, checks, configuration without secrets, state, log and metrics of this machine's service",
    ...{ purpose: "thormesh support", kept: "until someone removes it" },
    writtenBy: ["cli/support/support.ts"],
  },
  {
    ...{ ...file, id: "demo's directory", holds: "a demo fleet: configuration, logs, state" },
    ...{ purpose: "thormesh demo", kept: "until the demo ends" },
    writtenBy: ["tools/demo/run-demo.ts", "tools/demo/fleet/child-process.ts", "tools/demo/fleet/start-fleet.ts"],
  },
  {
    ...{
      ...file,
      id: "broker-config's directory (--dir)",
      holds: "configuration and private key of an external broker",
    },
    ...{ purpose: "an external broker", kept: "until someone removes it" },
    writtenBy: ["cli/identity/broker-config.ts"],
  },
  {
    ...{ ...file, id: "a controller's backup", personal: "names", tenant: "kept" },
    ...{
      holds: "the authority's and the broker's keys, and the controller's records",
      purpose: "thormesh controller backup",
    },
    kept: "until someone removes it",
    writtenBy: ["controller/identity/state-backup.ts", "platform/files/copy-database.ts"],
  },
  {
    ...{ ...file, id: "versions (/usr/local/lib/thormesh)" },
    ...{ holds: "executables, the state of updates, downloads", purpose: "thormesh update and rollback" },
    kept: "the current version and the previous one; downloads until they are installed",
    writtenBy: [
      "tools/update/update-state.ts",
      "tools/update/release/download-release.ts",
      "tools/update/layout.ts",
      "tools/update/release/place-version.ts",
      "tools/update/release/release-source.ts",
    ],
  },
  {
    ...{
      ...file,
      id: "directories tested for write access",
      holds: "nothing: created only to see whether that is possible",
    },
    ...{ purpose: "thormesh doctor", kept: "same as the service's directories" },
    writtenBy: ["tools/doctor/check-program.ts"],
  },
];

/** Everything that the program keeps or sends away; what is in no list fails a test. */
export const dataMap: readonly DataStore[] = [...controllerDataMap, ...agentDataMap, ...toolDataMap];
