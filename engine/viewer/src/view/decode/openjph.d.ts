// OpenJPH's package has no types of its own; what is used of it stands in htj2k.ts.
declare module '@cornerstonejs/codec-openjph/wasmjs' {
  const create: (options: { locateFile: (name: string) => string }) => Promise<unknown>;
  export default create;
}
