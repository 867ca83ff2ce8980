import { describeError, UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { readSecretIfThere } from "#platform/files/write-secret-file.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import type { BrokerAddress } from "#protocol/identity/join-messages.ts";
import type { BrokerCredentials } from "#protocol/mqtt/mqtt-broker-options.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { controllerStateTopic } from "#protocol/topics.ts";
import type { ControllerConfig } from "../config.ts";
import type { FleetIdentity } from "../identity/fleet-identity.ts";
import { awaitSoleController } from "./await-sole-controller.ts";
import type { BrokerCounts } from "./broker-counts.ts";
import { brokerKeyPath, keptBrokerKey, shareBrokerKey } from "./broker-key.ts";
import { ControllerPresence } from "./controller-presence.ts";
import { EmbeddedBroker } from "./embedded-broker.ts";
import { createFleetAccess } from "./fleet-access.ts";
import { listenOnly, noBroker, whileLeading } from "./leading-broker.ts";
import { type ControllerCertificate, keepControllerCertificate } from "./tls/controller-certificate.ts";

/** The fleet's broker, embedded or external, and the controller's presence there. */
export interface FleetBroker {
  readonly broker: Broker;
  /**
   * Connects; an embedded broker also listens.
   * @throws UsageError when its port is taken, or when other machines could read its messages.
   */
  start(): Promise<void>;
  /** Waits until no other controller acts for the fleet at an external broker; false when `signal` aborted first. Before `start`. */
  awaitSole(signal: AbortSignal): Promise<boolean>;
  /** Publishes that the controller is online; called once connected. */
  announce(): Promise<void>;
  /** Publishes that records can be stored again after a fault. */
  announceStore(): Promise<void>;
  /** Publishes that the controller is offline, and disconnects. */
  stop(): Promise<void>;
  /** Address at which agents find it; for an embedded broker with port 0, once started. */
  readonly url: string;
  /** The file from which agents on this machine derive their secrets; null for an external broker. */
  readonly keyFile: string | null;
  /** Address that devices learn when they join. */
  addressForDevices(): BrokerAddress;
  /** Ends an agent's sessions at an embedded broker; an external one has to do it itself. */
  disconnect(agentId: string): void;
  /** Counts of the embedded broker; null for an external one. */
  readonly counts: (() => BrokerCounts) | null;
}

export interface FleetBrokerParts {
  readonly config: Pick<ControllerConfig, "fleet" | "broker" | "insecure">;
  /** Directory of the broker's key. */
  readonly stateDir: string;
  /** The same in every run: between two runs the broker keeps records for it. */
  readonly controllerId: string;
  /** Authority and devices of the fleet. Default: no device can show a certificate. */
  readonly identity?: Pick<FleetIdentity, "authority" | "devices">;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Another controller acts at the same broker and was there first: this one has to stand by. */
  readonly onReplaced: () => void;
  /** Tells if this controller leads, where a lease decides that. Default: the one that was first at the broker acts. */
  readonly isLeading?: () => boolean;
}

/** Login of a controller at an external broker. */
function externalLogin({ config, identity, log }: Pick<FleetBrokerParts, "config" | "identity" | "log">, url: string) {
  const { username, password, passwordFile } = config.broker;
  const counted = createCountedLog(log, Date.now);
  const secret = () =>
    password ?? (passwordFile === null ? null : readSecretIfThere(passwordFile, "broker.passwordFile"));
  // Who logs in with a password shows no certificate: the broker may know nothing of this authority.
  const showsCertificate = /^(mqtts|ssl|wss):/.test(url) && username === null;
  let certificate: ControllerCertificate | undefined;
  return {
    /** @throws UsageError when the password's file has none */
    async prepare(): Promise<void> {
      if (passwordFile !== null && !secret())
        throw new UsageError(`broker.passwordFile: expected a password in ${passwordFile}, got none`);
      if (showsCertificate && identity !== undefined)
        certificate ??= await keepControllerCertificate(identity.authority, log);
    },
    credentials(): BrokerCredentials {
      const tls = certificate === undefined ? {} : { tls: certificate.tls() };
      const user = username === null ? tls : { ...tls, username };
      try {
        const given = secret();
        return given === null ? user : { ...user, password: given };
      } catch (error) {
        counted.note("the broker's password file can't be used", { err: describeError(error) });
        return user;
      }
    },
    stop: () => certificate?.stop(),
  };
}

/** Broker at which a controller that is on standby hears what the fleet says: an external one, else none. */
export function createStandbyBroker(
  parts: Pick<FleetBrokerParts, "config" | "identity" | "log">,
): Pick<FleetBroker, "broker" | "counts" | "start" | "stop"> {
  const { url } = parts.config.broker;
  if (url === null)
    return { broker: noBroker, counts: null, start: async () => undefined, stop: async () => undefined };
  const login = externalLogin(parts, url);
  const clientId = `thormesh-controller-${parts.config.fleet}-standby-${crypto.randomUUID()}`;
  const broker = listenOnly(new MqttBroker({ url, clientId, credentials: login.credentials }, parts.log));
  return {
    broker,
    counts: null,
    async start() {
      await login.prepare();
      await broker.start();
    },
    async stop() {
      await broker.stop();
      login.stop();
    },
  };
}

export function createFleetBroker(parts: FleetBrokerParts): FleetBroker {
  const { url } = parts.config.broker;
  return url === null ? createOwnBroker(parts) : createExternalBroker(parts, url);
}

function createExternalBroker(parts: FleetBrokerParts, url: string): FleetBroker {
  const { config, controllerId, isLeading, log } = parts;
  const instanceId = crypto.randomUUID();
  const login = externalLogin(parts, url);
  const presence = new ControllerPresence({ ...parts, fleet: config.fleet, instanceId, broker: () => broker });
  const connection = new MqttBroker(
    {
      url,
      clientId: `thormesh-controller-${config.fleet}-${controllerId}`,
      // The broker keeps records that arrive while the controller is disconnected.
      cleanSession: false,
      will: { topic: controllerStateTopic(config.fleet), payload: presence.offline() },
      credentials: login.credentials,
    },
    log,
  );
  const broker = isLeading === undefined ? connection : whileLeading(connection, isLeading);
  presence.watch();
  return {
    broker,
    url,
    keyFile: null,
    counts: null,
    addressForDevices: () => ({ url: redactUrl(url), port: null, tls: /^(mqtts|ssl|wss):/.test(url) }),
    disconnect: () => undefined,
    async awaitSole(signal) {
      // Who held the lease before may hang, and then answers nobody; its connection ends with the same client id.
      if (isLeading !== undefined) return true;
      await login.prepare();
      const clientId = `thormesh-controller-${config.fleet}-probe-${instanceId}`;
      const probe = new MqttBroker({ url, clientId, credentials: login.credentials }, log);
      return awaitSoleController(config.fleet, probe, log, signal);
    },
    async start() {
      await login.prepare();
      await broker.start();
    },
    announce: () => presence.announce(),
    announceStore: () => presence.announceStore(),
    async stop() {
      await presence.sayOffline();
      await broker.stop();
      login.stop();
    },
  };
}

/** Makes the embedded broker, where only the controller publishes on its topics, so that no other one has to be watched for. */
function createOwnBroker(parts: FleetBrokerParts): FleetBroker {
  const { config, stateDir, environment, identity, isLeading, log } = parts;
  const { host, port, embedded, plainText, shareKey, tls, limits } = config.broker;
  if (!embedded) throw new UsageError("broker: expected embedded: true or a url, got neither");
  const key = keptBrokerKey(stateDir);
  const own = new EmbeddedBroker(
    { host, port, limits, access: createFleetAccess(config.fleet, key, identity?.devices) },
    log,
  );
  const instanceId = crypto.randomUUID();
  const presence = new ControllerPresence({ ...parts, fleet: config.fleet, instanceId, broker: () => own.broker });
  let listeningPort = port;
  let tlsPort: number | null = null;
  let unshare = () => {};
  return {
    broker: isLeading === undefined ? own.broker : whileLeading(own.broker, isLeading),
    keyFile: brokerKeyPath(stateDir),
    counts: () => own.counts(),
    addressForDevices: () => ({ url: null, port: tlsPort ?? listeningPort, tls: tlsPort !== null }),
    disconnect: (agentId) => own.disconnect(agentId),
    // A second controller on this machine finds the port taken.
    awaitSole: async () => true,
    get url() {
      const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
      return `mqtt://${reachable.includes(":") ? `[${reachable}]` : reachable}:${listeningPort}`;
    },
    async start() {
      if (!isLoopback(host) && !plainText && !config.insecure) {
        throw new UsageError(
          `broker: refusing to listen on ${host} without encryption, because agents' passwords could be read in transit: set ` +
            "broker.plainText: true on a network you trust, use a broker with TLS (broker.url: mqtts://…), or listen on 127.0.0.1",
        );
      }
      await own.broker.start();
      try {
        listeningPort = await own.listen();
        if (tls.port !== null && identity !== undefined)
          tlsPort = await own.listenForDevices({ host: tls.host, port: tls.port }, identity.authority);
      } catch (error) {
        await own.broker.stop();
        await own.close();
        throw error;
      }
      if (shareKey) unshare = shareBrokerKey(key, listeningPort, environment, log);
    },
    announce: () => presence.announce(),
    announceStore: () => presence.announceStore(),
    async stop() {
      unshare();
      await presence.sayOffline();
      await own.broker.stop();
      await own.close();
    },
  };
}
