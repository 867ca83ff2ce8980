import constants from "mqtt-packet/constants.js";
import { reasonCode } from "./mqtt-reasons.ts";

/** Highest reason code of MQTT 5. */
const highest = 0xa2;

/** Answers of which mqtt.js takes only the codes that the standard has for each. */
const answers = [
  "MQTT5_PUBACK_PUBREC_CODES",
  "MQTT5_SUBACK_CODES",
  "MQTT5_UNSUBACK_CODES",
  "MQTT5_DISCONNECT_CODES",
] as const;

/**
 * Makes mqtt.js take every failure as the answer to every packet. It would end the connection at one that the standard has for other packets
 * only, such as Mosquitto's 0x95 (packet too large) to a message above its `message_size_limit`: the cause would be lost, and the message would end each
 * connection anew.
 */
export function acceptReasonCodes(): void {
  for (const answer of answers) {
    const known = constants[answer];
    for (let code: number = reasonCode.failureBit; code <= highest; code += 1) known[code] ??= "Failure";
  }
}
