/**
 * What a store must show after a crash. Changes are announced before they are asked for and settled by the answer; at any moment the store
 * may show what was acknowledged, with each change that is under way whole or not at all.
 */
import { invariant } from "../base/invariant.ts";
import type { Observed } from "./observe-store.ts";

/** A change of some units, all or nothing; undefined lines: the unit goes away. A line beginning with `? ` has an id not told yet. */
export interface AnnouncedChange {
  readonly units: ReadonlyMap<string, readonly string[] | undefined>;
}

/** What was acknowledged and what was under way at some moment. */
export interface OracleState {
  readonly acknowledged: Observed;
  readonly underWay: readonly AnnouncedChange[];
}

export class CrashOracle {
  #acknowledged: Map<string, readonly string[]>;
  readonly #underWay: Set<AnnouncedChange>;
  /** Changes that were acknowledged so far. */
  acknowledgements = 0;

  constructor(state: OracleState = { acknowledged: new Map(), underWay: [] }) {
    this.#acknowledged = new Map(state.acknowledged);
    this.#underWay = new Set(state.underWay);
  }

  /** The state now, which does not change with this. */
  get state(): OracleState {
    return { acknowledged: new Map(this.#acknowledged), underWay: [...this.#underWay] };
  }

  /** The lines of a unit as acknowledged. */
  get(unit: string): readonly string[] | undefined {
    return this.#acknowledged.get(unit);
  }

  /** True while a change of this unit is under way. */
  isInDoubt(unit: string): boolean {
    return [...this.#underWay].some(({ units }) => units.has(unit));
  }

  announce(units: Iterable<readonly [string, readonly string[] | undefined]>): AnnouncedChange {
    const change = { units: new Map(units) };
    for (const unit of change.units.keys()) invariant(!this.isInDoubt(unit), `only one change of ${unit} is under way`);
    this.#underWay.add(change);
    return change;
  }

  /** The change has happened; `id` is what its new lines are known by now, `unitId` what its new unit is. */
  acknowledge(change: AnnouncedChange, { id, unitId }: { id?: string | undefined; unitId?: string | undefined } = {}): void {
    this.#underWay.delete(change);
    this.acknowledgements++;
    for (const [unit, lines] of change.units) {
      const name = unitId === undefined ? unit : unit.replace("?? ", `?${unitId} `);
      if (lines === undefined) this.#acknowledged.delete(name);
      else
        this.#acknowledged.set(
          name,
          lines.map((line) => (line.startsWith("? ") ? `${id ?? "null"}${line.slice(1)}` : line)),
        );
    }
  }

  /** The change has not happened and never will. */
  withdraw(change: AnnouncedChange): void {
    this.#underWay.delete(change);
  }

  /** Takes over what the store shows: from now on nothing is in doubt. */
  adopt(observed: Observed): void {
    this.#acknowledged = new Map(observed);
    this.#underWay.clear();
  }

  /** What is wrong with what a store shows; undefined when it is allowed. */
  problemWith(observed: Observed): string | undefined {
    const doubtful = new Set<string>();
    for (const { units } of this.#underWay) {
      const found = new Map([...units].map(([unit, lines]) => [unit, observedUnit(observed, this.#acknowledged, unit, lines)]));
      const asBefore = [...units.keys()].every((unit) => sameLines(found.get(unit)?.lines, this.#acknowledged.get(unit)));
      const asAfter = [...units].every(([unit, lines]) => sameLines(found.get(unit)?.lines, lines));
      if (!asBefore && !asAfter) return `${[...units.keys()].join(", ")}: neither as before nor as changed:${describe(found)}`;
      for (const [unit, { name }] of found) doubtful.add(unit).add(name);
    }
    for (const unit of new Set([...observed.keys(), ...this.#acknowledged.keys()])) {
      if (doubtful.has(unit) || sameLines(observed.get(unit), this.#acknowledged.get(unit))) continue;
      return `${unit}: acknowledged ${text(this.#acknowledged.get(unit))}, found ${text(observed.get(unit))}`;
    }
    return undefined;
  }
}

/** A unit as it is shown; for an upload whose id was never told, any upload of its key that was not there before. */
function observedUnit(
  observed: Observed,
  acknowledged: Observed,
  unit: string,
  lines: readonly string[] | undefined,
): { name: string; lines: readonly string[] | undefined } {
  if (lines === undefined || !unit.includes("?? ")) return { name: unit, lines: observed.get(unit) };
  const [bucket, key] = unit.split("?? ") as [string, string];
  const name = [...observed.keys()].find(
    (other) => other.startsWith(`${bucket}?`) && other.endsWith(` ${key}`) && !acknowledged.has(other),
  );
  return { name: name ?? unit, lines: name === undefined ? undefined : observed.get(name) };
}

function sameLines(found: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  if (found === undefined || wanted === undefined) return found === wanted;
  return found.length === wanted.length && wanted.every((line, i) => sameLine(found[i] as string, line));
}

function sameLine(found: string, wanted: string): boolean {
  return wanted.startsWith("? ") ? found.slice(found.indexOf(" ")) === wanted.slice(1) : found === wanted;
}

function describe(found: ReadonlyMap<string, { lines: readonly string[] | undefined }>): string {
  return [...found].map(([unit, { lines }]) => `\n  ${unit} ${text(lines)}`).join("");
}

function text(lines: readonly string[] | undefined): string {
  return lines === undefined ? "absent" : JSON.stringify(lines);
}
