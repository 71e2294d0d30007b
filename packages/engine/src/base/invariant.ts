/** Thrown when the code itself is wrong. Nothing below the composition root catches it. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** States what must be true here, in a sentence. A failure is a defect of Holdfast, never of its input. @throws InvariantError */
export function invariant(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${sentence}`);
}
