/**
 * A small encoder for WebAssembly's binary format: just what the generated kernels and checksums need.
 *
 * Code is put together from expressions: `v128.xor(a.get, v128.load(address.get, 16))` is the bytes that leave that value on the
 * stack, `a.set(value)` a statement. Nothing is type-checked here; WebAssembly's own validation does that when a module is compiled.
 * Equal programs give equal bytes, which lets V8 share their compiled code.
 */

/** The bytes of instructions: an expression leaves one value on the stack, a statement none. */
export type Code = readonly number[];

/** The types of parameters, results and locals. */
export const valueType = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = (typeof valueType)[keyof typeof valueType];

const simd = 0xfd;
const noResult = 0x40;
const end = 0x0b;

/** The parts one after another. */
export function join(...parts: readonly Code[]): Code {
  const whole: number[] = [];
  for (const part of parts) for (const byte of part) whole.push(byte);
  return whole;
}

function unary(...opcode: number[]): (operand: Code) => Code {
  return (operand) => join(operand, opcode);
}

function binary(...opcode: number[]): (left: Code, right: Code) => Code {
  return (left, right) => join(left, right, opcode);
}

/** `alignment` is the base-2 logarithm the format asks for; `offset` is added to the address without wrapping. */
function load(alignment: number, ...opcode: number[]): (address: Code, offset?: number) => Code {
  return (address, offset = 0) => join(address, opcode, [alignment], unsigned(offset));
}

function store(alignment: number, ...opcode: number[]): (address: Code, value: Code, offset?: number) => Code {
  return (address, value, offset = 0) => join(address, value, opcode, [alignment], unsigned(offset));
}

/** Instructions on 32-bit integers. */
export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(BigInt(value))],
  load: load(2, 0x28),
  load8: load(0, 0x2d),
  add: binary(0x6a),
  subtract: binary(0x6b),
  and: binary(0x71),
  or: binary(0x72),
  shiftLeft: binary(0x74),
  shiftRight: binary(0x76),
  isZero: unary(0x45),
  isBelow: binary(0x49),
  isAbove: binary(0x4b),
  toF64: unary(0xb8),
} as const;

/** Instructions on 64-bit integers. */
export const i64 = {
  constant: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  load: load(3, 0x29),
  load32: load(2, 0x35),
  store: store(3, 0x37),
  fromI32: unary(0xad),
  fromF64: unary(0xb1),
  add: binary(0x7c),
  multiply: binary(0x7e),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shiftLeft: binary(0x86),
  shiftRight: binary(0x88),
  rotateLeft: binary(0x89),
} as const;

/** Instructions on 16-byte vectors. */
export const v128 = {
  constant: (bytes: Uint8Array): Code => [simd, 12, ...bytes],
  zero: [simd, 12, ...new Array<number>(16).fill(0)] as Code,
  load: load(4, simd, 0),
  store: store(4, simd, 11),
  xor: binary(simd, 0x51),
  /** Byte i of the result is byte `lanes[i]` of the 32 bytes of left and right. */
  shuffle: (left: Code, right: Code, lanes: readonly number[]): Code => join(left, right, [simd, 13], lanes),
  add64: binary(simd, 0xce, 0x01),
  shiftLeft64: binary(simd, 0xcb, 0x01),
  shiftRight64: binary(simd, 0xcd, 0x01),
  /** 64-bit products of the lower (higher) two of the four 32-bit lanes. */
  multiplyLow32: binary(simd, 0xde, 0x01),
  multiplyHigh32: binary(simd, 0xdf, 0x01),
} as const;

/** Runs the body again as long as the condition, evaluated after it, is not zero. */
export function repeatWhile(condition: Code, ...body: readonly Code[]): Code {
  return join([0x03, noResult], ...body, condition, [0x0d, 0, end]);
}

/** Runs the body when the condition is not zero. */
export function when(condition: Code, ...body: readonly Code[]): Code {
  return join(condition, [0x04, noResult], ...body, [end]);
}

/** Leaves the function, with a value if it has one. */
export function leave(value: Code = []): Code {
  return join(value, [0x0f]);
}

/** Calls a function of the module by its place in the list. */
export function call(place: number, ...operands: readonly Code[]): Code {
  return join(...operands, [0x10], unsigned(place));
}

/** A parameter or variable of a function. */
export class Local {
  readonly get: Code;
  readonly #index: Code;

  constructor(index: number) {
    this.#index = unsigned(index);
    this.get = [0x20, ...this.#index];
  }

  set(value: Code): Code {
    return join(value, [0x21], this.#index);
  }

  /** Sets it and leaves the value on the stack. */
  tee(value: Code): Code {
    return join(value, [0x22], this.#index);
  }
}

/** A function under construction. */
export class FunctionBuilder {
  readonly parameters: readonly Local[];
  readonly signature: Code;
  readonly #localTypes: ValueType[] = [];
  readonly #body: number[] = [];

  constructor(parameterTypes: readonly ValueType[], resultType?: ValueType) {
    this.parameters = parameterTypes.map((_, index) => new Local(index));
    const results = resultType === undefined ? [] : [resultType];
    this.signature = [0x60, ...vector(parameterTypes.map((type) => [type])), ...vector(results.map((type) => [type]))];
  }

  /** A new variable, zero at the start of every call. */
  local(type: ValueType): Local {
    this.#localTypes.push(type);
    return new Local(this.parameters.length + this.#localTypes.length - 1);
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** Appends code. */
  emit(...code: readonly Code[]): this {
    for (const part of code) for (const byte of part) this.#body.push(byte);
    return this;
  }

  /** The function's entry in a module's code section. */
  encode(): Code {
    const locals = vector(this.#localTypes.map((type) => [1, type]));
    return sized(join(locals, this.#body, [end]));
  }
}

/** What a module is made of. It imports one memory, `env.memory`, of at least `memoryPages` pages of 64 KiB. */
export interface ModuleParts {
  readonly memoryPages: number;
  readonly functions: readonly FunctionBuilder[];
  /** Exported names and the places of their functions in the list. */
  readonly exports: Readonly<Record<string, number>>;
}

/** The module's bytes. */
export function encodeModule(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const { functions } = parts;
  const memoryImport = join(name("env"), name("memory"), [0x02, 0x00], unsigned(parts.memoryPages));
  const exported = Object.entries(parts.exports).map(([exportName, place]) => join(name(exportName), [0x00], unsigned(place)));
  return Uint8Array.from(
    join(
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, vector(functions.map((builder) => builder.signature))),
      section(2, vector([memoryImport])),
      section(3, vector(functions.map((_, place) => unsigned(place)))),
      section(7, vector(exported)),
      section(10, vector(functions.map((builder) => builder.encode()))),
    ),
  );
}

function section(id: number, content: Code): Code {
  return join([id], sized(content));
}

function sized(content: Code): Code {
  return join(unsigned(content.length), content);
}

function vector(entries: readonly Code[]): Code {
  return join(unsigned(entries.length), ...entries);
}

function name(text: string): Code {
  return sized([...Buffer.from(text)]);
}

/** LEB128: seven bits a byte, least significant first, the eighth set on all but the last. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128: ends where the rest is only copies of the sign. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  let rest = value;
  while (rest < -64n || rest > 63n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest & 0x7fn));
  return bytes;
}
