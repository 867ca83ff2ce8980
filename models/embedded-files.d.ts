// Files imported with `type: "file"`: the import's value is a path, in the source tree or inside the compiled executable.
declare module "*.onnx" {
  const path: string;
  export = path;
}
