/** The end of the show: every object is read and compared with what was acknowledged. */
import { isHoldfastError, openStore } from "@holdfast/engine";
import { bytesOf } from "./bodies.mjs";

/** @typedef {ReturnType<import("@holdfast/engine").Store["bucket"]>} Bucket */
/** @typedef {import("./bodies.mjs").Body} Body */

/**
 * Opens the store and compares everything. `wrong` names the keys that are not as acknowledged, strangers in the listing included.
 * @param {import("@holdfast/engine").StoreSettings} settings @param {import("./ledger.mjs").Ledger} ledger
 * @returns {Promise<{ objects: number; bytes: number; wrong: string[] }>}
 */
export async function readBack(settings, ledger) {
  const store = await openStore({ ...settings, create: false });
  try {
    const bucket = store.bucket("things");
    /** @type {Set<string>} */
    const listed = new Set();
    for await (const entry of bucket.list()) if (entry.key !== undefined) listed.add(entry.key);
    const result = { objects: 0, bytes: 0, wrong: /** @type {string[]} */ ([]) };
    for (const { key, bodies } of ledger.entries()) {
      const bytes = await bytesAt(bucket, key);
      const fits = bodies.some((body) => isSame(bytes, body)) && listed.delete(key) === (bytes !== null);
      if (!fits) result.wrong.push(key);
      result.objects += bytes === null ? 0 : 1;
      result.bytes += bytes?.byteLength ?? 0;
    }
    result.wrong.push(...listed);
    return result;
  } finally {
    await store.close();
  }
}

/** Null where there is no object; an object that cannot be read is as wrong as one with other bytes. @param {Bucket} bucket @param {string} key */
async function bytesAt(bucket, key) {
  try {
    return await (await bucket.get(key)).bytes();
  } catch (error) {
    if (isHoldfastError(error, "OBJECT_NOT_FOUND")) return null;
    if (isHoldfastError(error)) return new Uint8Array([0]);
    throw error;
  }
}

/** @param {Uint8Array | null} bytes @param {Body | null} body */
function isSame(bytes, body) {
  if (bytes === null || body === null) return bytes === body;
  return bytes.byteLength === body.size && Buffer.compare(bytes, bytesOf(body)) === 0;
}
