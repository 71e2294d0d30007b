import { entrySumBytes, isSound } from "./entry-sum.ts";

const slabBytes = 8 * 1024;
const pooledBytesMax = 1024;

/**
 * Keys and values as they are stored: bytes. What is read is copied out of LMDB's shared buffers, small things into slabs: an
 * allocation for each would be dearer than the read itself. So an array may be a view of a larger buffer, as a Node Buffer may.
 * Values are stored sealed (see `entry-sum.ts`) and opened here, before they are copied.
 */
export class PooledCodec {
  private slab = new ArrayBuffer(slabBytes);
  private used = 0;
  private readonly keys = new PlainView();
  private readonly values = new PlainView();
  /** The key whose value is decoded next: the one being looked up, or the one a cursor has just read. */
  key: Uint8Array = new Uint8Array(0);
  private readonly onUnsound: () => Error;

  /** `onUnsound` gives the error for a value that does not match its checksum. */
  constructor(onUnsound: () => Error) {
    this.onUnsound = onUnsound;
  }

  encode(value: Uint8Array): Uint8Array {
    return value;
  }

  /** `bytes.length` is the value's size: LMDB's shared buffer is a longer one whose `length` it sets with every read. */
  decode(bytes: Uint8Array): Uint8Array {
    const view = this.values.of(bytes);
    if (!isSound(this.key, view, bytes.length)) throw this.onUnsound();
    return this.copyOf(view.subarray(0, bytes.length - entrySumBytes));
  }

  writeKey(key: Uint8Array, target: Uint8Array, position: number): number {
    target.set(key, position);
    return position + key.byteLength;
  }

  readKey(source: Uint8Array, start: number, end: number): Uint8Array {
    this.key = this.copyOf(this.keys.of(source).subarray(start, end));
    return this.key;
  }

  private copyOf(bytes: Uint8Array): Uint8Array {
    const copy = bytes.byteLength > pooledBytesMax ? new Uint8Array(bytes.byteLength) : this.allocate(bytes.byteLength);
    copy.set(bytes);
    return copy;
  }

  private allocate(length: number): Uint8Array {
    if (this.used + length > slabBytes) {
      this.slab = new ArrayBuffer(slabBytes);
      this.used = 0;
    }
    const bytes = new Uint8Array(this.slab, this.used, length);
    this.used += (length + 7) & ~7;
    return bytes;
  }
}

/** Sees a Buffer of LMDB's as a plain Uint8Array of its true length; those buffers stay the same for long. */
class PlainView {
  private source: Uint8Array | undefined;
  private view: Uint8Array = new Uint8Array(0);

  of(source: Uint8Array): Uint8Array {
    if (source !== this.source) {
      this.view = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
      this.source = source;
    }
    return this.view;
  }
}
