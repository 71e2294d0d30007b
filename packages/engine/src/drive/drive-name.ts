import { invariant } from "../base/invariant.ts";

/**
 * Names on drives are chosen by Holdfast itself, so a bad one is a defect, not an operating error. They are kept to what every file
 * system takes as it is, whether or not it tells upper from lower case: 1 to 4 components of `[a-z0-9._-]`, none of which starts or
 * ends with a dot (dotfiles are the system's, and Windows drops a dot at the end).
 */
const componentPattern = /^[a-z0-9_-](?:[a-z0-9._-]{0,98}[a-z0-9_-])?$/;
const componentsMax = 4;

/** Unfinished files wait here; the name is not available to callers. */
export const incomingFolder = "incoming";
/** Lock files and probes of the drive's directory start with this; they are not files of the drive. */
export const lockPrefix = "lock.";

/** True for a name a drive may have given to one of its files or folders: what else lies in the directory is not ours. */
export function isDriveComponent(component: string): boolean {
  return componentPattern.test(component);
}

/** Checks the name of a file. @throws InvariantError */
export function checkFileName(name: string): void {
  const components = name.split("/");
  invariant(components.length <= componentsMax && components.every(isDriveComponent), `"${name}" is the name of a file on a drive`);
  invariant(!isReserved(components), `"${name}" is not a name the drive keeps for itself`);
}

/** Checks the name of a folder; "" is the drive itself. @throws InvariantError */
export function checkFolderName(folder: string): void {
  if (folder !== "") checkFileName(folder);
}

/** True for the drive's own entries at its top, which no listing shows. */
export function isReserved(components: readonly string[]): boolean {
  const first = components[0] ?? "";
  return first === incomingFolder || first.startsWith(lockPrefix);
}

/** The folder a file or folder lies in; "" for the drive itself. */
export function folderOf(name: string): string {
  const cut = name.lastIndexOf("/");
  return cut < 0 ? "" : name.slice(0, cut);
}
