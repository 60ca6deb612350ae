// What of ONNX Runtime Web the exported page uses; the package itself is not at hand here.

declare module "*/ort.js" {
  export const env: { logLevel: string; wasm: { numThreads: number; wasmBinary?: ArrayBuffer } };
  export class Tensor {
    constructor(type: "float32", data: Float32Array | undefined, dims: readonly number[]);
  }
  export const InferenceSession: { create(model: Uint8Array, options: object): Promise<any> };
}
