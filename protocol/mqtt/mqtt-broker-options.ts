import type { LastWill } from "../broker.ts";
import type { MqttTls } from "./mqtt-connection.ts";
import type { TlsFault } from "./tls-fault.ts";

/** Login and certificates of a client at its broker. */
export interface BrokerCredentials {
  readonly username?: string;
  readonly password?: string;
  /** Certificates, for addresses with TLS. */
  readonly tls?: MqttTls;
}

export interface MqttBrokerOptions {
  /** mqtt://host:port or mqtts://host:port */
  readonly url: string;
  readonly clientId: string;
  /** Published by the broker (QoS 1, retained) when the connection ends without a disconnect. */
  readonly will?: LastWill;
  /** Called before each attempt to connect: a secret may become known later, or change. */
  readonly credentials?: () => BrokerCredentials;
  /** Advice for the log when the broker does not admit this client. */
  readonly refusedAdvice?: string;
  /** Advice when another client takes this one's place. */
  readonly takenOverAdvice?: string;
  /** Returns what helps against trouble with certificates. */
  readonly explainTls?: (fault: TlsFault) => string;
  /** false: the broker keeps messages for this client id while it is disconnected. Default true. */
  readonly cleanSession?: boolean;
  /** After this long without a sign of life the broker publishes the will. Default 15 s. */
  readonly keepAliveS?: number;
  /**
   * Topic of this client's own that it is subscribed to: what it publishes there comes back, or the session is renewed.
   * @see createEchoWatch
   */
  readonly echoTopic?: string;
  readonly echoWaitMs?: number;
}
