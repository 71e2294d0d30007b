/**
 * The field GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D) with generator g = 2. Addition is XOR.
 *
 * These functions serve matrices and generated code, a few hundred calls each; the kernels themselves never multiply byte by byte.
 */
import { invariant } from "../base/invariant.ts";

/** The field's polynomial. */
export const fieldPolynomial = 0x11d;
/** Nonzero elements, which is also the order of g. */
export const fieldOrder = 255;

const powers = new Uint8Array(2 * fieldOrder);
const logarithms = new Uint8Array(fieldOrder + 1);
fillTables();

function fillTables(): void {
  let element = 1;
  for (let exponent = 0; exponent < fieldOrder; exponent++) {
    powers[exponent] = element;
    powers[exponent + fieldOrder] = element;
    logarithms[element] = exponent;
    element <<= 1;
    if (element > 0xff) element ^= fieldPolynomial;
  }
}

/** g^exponent for any integer exponent. */
export function generatorPower(exponent: number): number {
  const reduced = exponent % fieldOrder;
  return powers[reduced < 0 ? reduced + fieldOrder : reduced] as number;
}

/** The product a·b. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powers[(logarithms[a] as number) + (logarithms[b] as number)] as number;
}

/** The element b with a·b = 1. */
export function inverse(a: number): number {
  invariant(a !== 0, "zero has no inverse");
  return powers[fieldOrder - (logarithms[a] as number)] as number;
}
