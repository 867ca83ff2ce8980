import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DeviceIdentity, readIdentity } from "#agent/enrolment/device-identity.ts";
import { freePort } from "../fakes/free-port.ts";
import { eventually, programCommand, temporaryDirectory } from "./program.ts";

const root = join(import.meta.dir, "..", "..");

/** Commands of the README's section on a secured fleet, by the machine that they are for. */
export function readmeCommands(): { readonly controller: readonly string[]; readonly device: readonly string[] } {
  const section = /\n## Secure a fleet\n[\s\S]*?```sh\n([\s\S]*?)```/.exec(
    readFileSync(join(root, "README.md"), "utf8"),
  );
  const [controller = "", device = ""] = (section?.[1] ?? "").split("# on each device\n");
  const commandsOf = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return { controller: commandsOf(controller), device: commandsOf(device) };
}

export const deviceIds = ["thor-1", "thor-2", "thor-3"] as const;
export type DeviceId = (typeof deviceIds)[number];

interface Service {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  log(): string;
}

/** A fleet that the README's commands have set up, each machine a directory of its own. */
export interface SecuredFleet {
  readonly directory: string;
  readonly commandCount: number;
  readonly controllerUrl: string;
  readonly controllerState: string;
  readonly brokerUrl: string;
  /** An admin's key of the controller's API. */
  readonly adminKey: string;
  readonly token: string;
  readonly agentUrls: Readonly<Record<DeviceId, string>>;
  stateOf(id: DeviceId): string;
  identityOf(id: DeviceId): DeviceIdentity;
  /** Runs a command of the program, as its admin, in a new state directory. */
  run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly said: string }>;
  /** Starts an agent on another directory. */
  startAgent(name: string, stateDir: string): Promise<string>;
  /** Has Mosquitto read its files again. */
  reloadBroker(): void;
  stop(): Promise<void>;
}

/** Log line of a service that contains a text. */
async function logged(service: Service, text: string): Promise<string> {
  return (await eventually(
    async () => {
      if (service.child.exitCode !== null) throw new Error(`it ended with ${service.child.exitCode}: ${service.log()}`);
      return service
        .log()
        .split("\n")
        .find((line) => line.includes(text));
    },
    (line) => line !== undefined,
  )) as string;
}

export async function setUpByReadme(): Promise<SecuredFleet> {
  const directory = temporaryDirectory();
  const at = (...names: string[]) => join(directory.path, ...names);
  const [apiPort, brokerPort] = [await freePort(), await freePort()];
  const broker = at("broker");
  mkdirSync(at("bin"));
  writeFileSync(at("bin", "thormesh"), `#!/bin/sh\nexec ${programCommand.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  // Where this is root, Mosquitto would become a user that can't read here.
  const asRoot = process.getuid?.() === 0 ? `sed -i '1i user root' "$2"; ` : "";
  writeFileSync(
    at("bin", "mosquitto"),
    `#!/bin/sh\n${asRoot}sed -i 's/^listener 8883$/listener ${brokerPort} 127.0.0.1/' "$2"\nexec "$(PATH=\${PATH#*:}:/usr/sbin command -v mosquitto)" "$@"\n`,
  );
  for (const name of ["thormesh", "mosquitto"]) chmodSync(at("bin", name), 0o755);
  const here = (command: string) =>
    command
      .replaceAll("controller.example:7070", `127.0.0.1:${apiPort}`)
      .replaceAll("--listen :7070", `--listen 127.0.0.1:${apiPort}`)
      .replaceAll("broker.example:8883", `127.0.0.1:${brokerPort}`)
      .replaceAll("broker.example", "127.0.0.1")
      .replaceAll("/etc/mosquitto/thormesh", broker)
      .replaceAll("token create", `token create --url http://127.0.0.1:${apiPort}`);
  const variables: Record<string, string> = {};
  const services: Service[] = [];
  const environment = (machine: string) => ({
    ...process.env,
    ...variables,
    PATH: `${at("bin")}:${process.env["PATH"]}`,
    ...{ XDG_STATE_HOME: at(machine), HOME: at(machine) },
  });
  const start = (machine: string, command: string): Service => {
    mkdirSync(at(machine), { recursive: true });
    const child = Bun.spawn(["bash", "-c", `exec ${command}`], {
      ...{ cwd: at(machine), env: environment(machine) },
      ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    });
    let text = "";
    const follow = async (stream: ReadableStream<Uint8Array>) => {
      for await (const piece of stream) text += new TextDecoder().decode(piece);
    };
    void follow(child.stdout);
    void follow(child.stderr);
    const service = { child, log: () => text };
    services.push(service);
    return service;
  };
  const finish = async (machine: string, command: string) => {
    mkdirSync(at(machine), { recursive: true });
    const child = Bun.spawn(["bash", "-c", command], {
      ...{ cwd: at(machine), env: environment(machine) },
      ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    });
    const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, out: out.trim(), said };
  };

  const { controller, device } = readmeCommands();
  let mosquitto: Service | undefined;
  for (const written of controller) {
    const command = here(written);
    const [, variable] = /^([A-Z]+)=\$\(/.exec(command) ?? [];
    if (variable !== undefined) {
      const { code, out, said } = await finish("controller", `set -e; ${command}; printf %s "$${variable}"`);
      if (code !== 0) throw new Error(`${command}: ${said}`);
      variables[variable] = out;
    } else if (command.startsWith("thormesh controller --")) {
      await logged(start("controller", command), "controller started");
    } else if (command.startsWith("mosquitto ")) {
      mosquitto = start("controller", command);
    } else {
      const { code, said } = await finish("controller", command);
      if (code !== 0) throw new Error(`${command}: ${said}`);
    }
  }
  const startAgent = async (name: string, command: string, config: object): Promise<string> => {
    await Bun.write(at(`${name}.json`), JSON.stringify(config));
    const service = start(name, `${command} --config ${at(`${name}.json`)}`);
    return (JSON.parse(await logged(service, '"agent started"')) as { url: string }).url;
  };
  /** Distinguishes machines that are one here. */
  const machineConfig = (id: string, model: string) => ({
    id,
    serving: { port: 0, threads: 1, grpc: { enabled: false }, ...(model === "" ? {} : { model }) },
    power: { board: "none" },
  });
  const commands = device.map(here);
  const urls = await Promise.all(
    deviceIds.map((id) => startAgent(id, commands.join("; "), machineConfig(id, id === "thor-1" ? "" : "none"))),
  );
  return {
    directory: directory.path,
    commandCount: controller.length + deviceIds.length * device.length,
    controllerUrl: `http://127.0.0.1:${apiPort}`,
    controllerState: at("controller", "thormesh", "controller"),
    brokerUrl: `mqtts://127.0.0.1:${brokerPort}`,
    adminKey: variables["KEY"] ?? "",
    token: variables["TOKEN"] ?? "",
    agentUrls: Object.fromEntries(urls.map((url, index) => [deviceIds[index], url])) as Record<DeviceId, string>,
    stateOf: (id) => at(id, "thormesh", "agent"),
    identityOf: (id) => readIdentity(at(id, "thormesh", "agent")) as DeviceIdentity,
    run: (...args) => finish("admin", `THORMESH_API_KEY=$KEY thormesh ${args.map((word) => `'${word}'`).join(" ")}`),
    startAgent: (name, stateDir) =>
      startAgent(name, "thormesh agent", { ...machineConfig("thor-3", "none"), stateDir }),
    reloadBroker: () => void mosquitto?.child.kill("SIGHUP"),
    async stop() {
      for (const { child } of services) child.kill("SIGKILL");
      await Promise.all(services.map(({ child }) => child.exited));
      directory.remove();
    },
  };
}
