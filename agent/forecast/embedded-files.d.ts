// Files imported with `type: "file"`: the import's value is a path, in the source tree or inside the compiled executable.
declare module "*.wasm" {
  const path: string;
  export = path;
}
declare module "*.bin" {
  const path: string;
  export = path;
}
