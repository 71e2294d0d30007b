/**
 * The only way from a key to a path. Keys may hold anything; names of files may not, and some of them lead elsewhere (`..`, `/etc`, `C:`).
 * What has no name of its own below the target folder is refused with a reason, never bent into another name.
 */

/** Where an object goes below the target folder, or why nowhere. */
export type KeyPath =
  | { readonly segments: readonly string[]; readonly isFolder: boolean; readonly refusal?: undefined }
  | { readonly refusal: string };

/** Longest name of a file, in bytes of UTF-8: the bound of ext4, XFS, APFS (in characters) and others. */
const nameBytesMax = 255;
const windowsForbidden = /[<>:"\\|?*\p{Cc}]|[. ]$/u;
const windowsDevice = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\.|$)/i;

/** The path of a key below a folder. `key` is what follows the folder's prefix; a key that ends in `/` stands for a folder. */
export function keyPath(key: string, platform: NodeJS.Platform): KeyPath {
  if (key === "") return { refusal: "the key names the folder itself" };
  const isFolder = key.endsWith("/");
  const segments = (isFolder ? key.slice(0, -1) : key).split("/");
  for (const segment of segments) {
    const refusal = segmentRefusal(segment, platform);
    if (refusal !== undefined) return { refusal };
  }
  return { segments, isFolder };
}

function segmentRefusal(segment: string, platform: NodeJS.Platform): string | undefined {
  if (segment === "") return "an empty name between slashes is none for a file";
  if (segment === "." || segment === "..") return `"${segment}" would lead elsewhere`;
  if (segment.includes("\0")) return "a file's name can't hold NUL";
  if (Buffer.byteLength(segment) > nameBytesMax) return `a file's name has at most ${nameBytesMax} bytes`;
  if (platform !== "win32") return undefined;
  if (windowsForbidden.test(segment)) return "Windows takes no such name";
  return windowsDevice.test(segment) ? "Windows keeps that name for a device" : undefined;
}

/**
 * Finds keys that would need a file where another key needs a folder: `a` and `a/b`. Fed with the keys of a listing in order; all keys
 * that start with `a` follow it directly, so only those the current key starts with are kept.
 */
export class FileFolderClashes {
  readonly #open: string[] = [];

  /** The earlier key that is a file where this key needs a folder; undefined when there is none. */
  check(key: string): string | undefined {
    for (let last = this.#open.at(-1); last !== undefined && !key.startsWith(last); last = this.#open.at(-1)) this.#open.pop();
    const clash = this.#open.find((file) => key.startsWith(`${file}/`));
    if (!key.endsWith("/")) this.#open.push(key);
    return clash;
  }
}
