import { isHoldfastError } from "../base/errors.ts";
import type { Member } from "./member.ts";

/** Cuts a member's copy of a pack to `length`, durably; where there is none, or a shorter one, there is nothing to cut. */
export async function cutPack(member: Member, pack: number, length: number): Promise<void> {
  try {
    await member.withPack(pack, { create: false }, async (file) => {
      if ((await file.size()) > length) await file.truncate(length);
    });
  } catch (error) {
    if (!isHoldfastError(error, "FILE_NOT_FOUND")) throw error;
  }
}
