import fc from "fast-check";

/** Names of the operations, with how often each is drawn. */
const weights = {
  put: 8,
  putConditional: 4,
  putMany: 3,
  get: 6,
  getVersion: 3,
  range: 3,
  delete: 4,
  deleteVersion: 4,
  deleteMany: 2,
  copy: 3,
  multipart: 3,
  tags: 2,
  list: 4,
  versions: 2,
  versioning: 1,
  reopen: 3,
} as const;

/** Name of an operation. */
export type OperationName = keyof typeof weights;

/** One drawn operation: a name and numbers to choose keys, sizes and versions by. */
export interface ModelStep {
  readonly name: OperationName;
  readonly key: number;
  readonly other: number;
  readonly size: number;
  readonly fill: number;
}

const names = Object.entries(weights).flatMap(([name, weight]) => new Array<OperationName>(weight).fill(name as OperationName));

/** Any operation. */
export const anyStep: fc.Arbitrary<ModelStep> = fc.record({
  name: fc.constantFrom(...names),
  key: fc.nat(1e6),
  other: fc.nat(1e6),
  size: fc.nat(1e6),
  fill: fc.nat(255),
});
