// Files imported with `type: "file"`: the import's value is a path, in the source tree or inside the compiled executable.
declare module "*.onnx" {
  const path: string;
  export = path;
}
declare module "*.wasm" {
  const path: string;
  export = path;
}
declare module "*.tiktoken" {
  const path: string;
  export = path;
}
declare module "*.bin" {
  const path: string;
  export = path;
}
declare module "*.csv" {
  const path: string;
  export = path;
}
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const path: string;
  export = path;
}
declare module "swagger-ui-dist/swagger-ui.css" {
  const path: string;
  export = path;
}
declare module "highs/runtime" {
  const path: string;
  export = path;
}
// Imported with `type: "text"`: the import's value is what the file says.
declare module "*.proto" {
  const text: string;
  export = text;
}
declare module "*/boot-check" {
  const text: string;
  export = text;
}
declare module "*.yaml" {
  const text: string;
  export = text;
}
declare module "*.service" {
  const text: string;
  export = text;
}
declare module "*.path" {
  const text: string;
  export = text;
}
declare module "*.socket" {
  const text: string;
  export = text;
}
declare module "*.sudoers" {
  const text: string;
  export = text;
}
declare module "*.sh" {
  const text: string;
  export = text;
}
// mqtt-packet has no types for its tables: words by reason code.
declare module "mqtt-packet/constants.js" {
  const tables: Record<
    "MQTT5_PUBACK_PUBREC_CODES" | "MQTT5_SUBACK_CODES" | "MQTT5_UNSUBACK_CODES" | "MQTT5_DISCONNECT_CODES",
    Record<number, string>
  >;
  export = tables;
}
// Styles of pages as a file, for reports.
declare module "#platform/page/styles.css" {
  const path: string;
  export = path;
}
// Styles of pages, for the bundler.
declare module "*.css" {}
