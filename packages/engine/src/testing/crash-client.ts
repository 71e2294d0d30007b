/**
 * The operations of crash scenarios and histories on one bucket of a store; each is announced to the oracle and settled by its answer.
 * Operations on different keys may overlap; those on one key may not.
 */
import { isHoldfastError } from "../base/errors.ts";
import type { Store } from "../engine.ts";
import type { Bucket } from "../object/bucket.ts";
import type { MultipartUpload } from "../object/multipart/multipart-upload.ts";
import type { PutOptions } from "../object/put-object.ts";
import type { AnnouncedChange, CrashOracle } from "./crash-oracle.ts";
import { md5Of, multipartMd5Of } from "./object-model.ts";
import { bucketUnit, keyUnit, partLine, uploadUnit, versionLine } from "./observe-store.ts";

type Tags = Readonly<Record<string, string>>;
interface Answer {
  readonly versionId?: string | undefined;
}

export class CrashClient {
  readonly bucket: Bucket;
  readonly #store: Store;
  readonly #oracle: CrashOracle;
  readonly #bodies: Map<string, Uint8Array>;

  constructor(store: Store, oracle: CrashOracle, bodies: Map<string, Uint8Array>, bucketName = "crash-bucket") {
    this.#store = store;
    this.#oracle = oracle;
    this.#bodies = bodies;
    this.bucket = store.bucket(bucketName);
  }

  /** The same for another bucket. */
  in(bucketName: string): CrashClient {
    return new CrashClient(this.#store, this.#oracle, this.#bodies, bucketName);
  }

  async createBucket(options: { versioning?: "enabled" } = {}): Promise<void> {
    const change = this.#oracle.announce([[bucketUnit(this.bucket.name), [options.versioning ?? "off"]]]);
    await this.#settle(change, () => this.#store.createBucket(this.bucket.name, options).then(() => ({})));
  }

  async deleteBucket(): Promise<void> {
    const change = this.#oracle.announce([[bucketUnit(this.bucket.name), undefined]]);
    await this.#settle(change, () => this.#store.deleteBucket(this.bucket.name).then(() => ({})));
  }

  async setVersioning(versioning: "enabled" | "suspended"): Promise<void> {
    const change = this.#oracle.announce([[bucketUnit(this.bucket.name), [versioning]]]);
    await this.#settle(change, () => this.bucket.setVersioning(versioning).then(() => ({})));
  }

  async put(key: string, body: Uint8Array, options: PutOptions & { tags?: Tags } = {}): Promise<void> {
    const change = this.#oracle.announce([this.#added(key, md5Of(this.#remember(body)), body, options.tags)]);
    await this.#settle(change, () => this.bucket.put(key, body, options));
  }

  /** Each entry is a change of its own: some may be there after a crash and others not. */
  async putMany(entries: readonly { readonly key: string; readonly body: Uint8Array }[]): Promise<void> {
    const changes = entries.map(({ key, body }) => this.#oracle.announce([this.#added(key, md5Of(this.#remember(body)), body)]));
    const results = await this.bucket.putMany(entries);
    results.forEach((result, i) => {
      const change = changes[i] as AnnouncedChange;
      if (result.ok) this.#oracle.acknowledge(change, { id: result.versionId });
      else this.#refused(change, result.error);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#settle(this.#oracle.announce([this.#removed(key)]), () => this.bucket.delete(key));
  }

  async deleteVersion(key: string, versionId: string): Promise<void> {
    const lines = this.#lines(key).filter((line) => !line.startsWith(`${versionId} `));
    const change = this.#oracle.announce([[this.#unit(key), lines.length === 0 ? undefined : lines]]);
    await this.#settle(change, () => this.bucket.delete(key, { versionId }).then(() => ({})));
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    const changes = keys.map((key) => this.#oracle.announce([this.#removed(key)]));
    const results = await this.bucket.deleteMany([...keys]);
    results.forEach((result, i) => {
      const change = changes[i] as AnnouncedChange;
      if (result.ok) this.#oracle.acknowledge(change, { id: result.versionId });
      else this.#refused(change, result.error);
    });
  }

  /** The source must be there; its tags are taken along. */
  async copy(from: string, to: string): Promise<void> {
    const source = this.#lines(from)[0] as string;
    const [, sourceEtag, bodyMd5] = source.split(" ") as [string, string, string];
    const body = this.#bodies.get(bodyMd5) as Uint8Array;
    const tags = JSON.parse(source.split(" ").slice(3).join(" ")) as Tags;
    const change = this.#oracle.announce([this.#added(to, sourceEtag.includes("-") ? md5Of(body) : sourceEtag, body, tags)]);
    await this.#settle(change, () => this.bucket.copy(from, to));
  }

  async setTags(key: string, tags: Tags): Promise<void> {
    const [newest, ...older] = this.#lines(key) as [string, ...string[]];
    const [id, etag, bodyMd5] = newest.split(" ");
    const change = this.#oracle.announce([[this.#unit(key), [`${id} ${etag} ${bodyMd5} ${JSON.stringify(tags)}`, ...older]]]);
    await this.#settle(change, () => this.bucket.setTags(key, { ...tags }).then(() => ({})));
  }

  async createUpload(key: string): Promise<MultipartUpload> {
    const change = this.#oracle.announce([[uploadUnit(this.bucket.name, key, "?"), []]]);
    try {
      const upload = await this.bucket.createUpload(key);
      this.#oracle.acknowledge(change, { unitId: upload.uploadId });
      return upload;
    } catch (error) {
      this.#refused(change, error);
      throw error;
    }
  }

  async uploadPart(upload: MultipartUpload, partNumber: number, body: Uint8Array): Promise<void> {
    const unit = this.#uploadUnit(upload);
    const others = (this.#oracle.get(unit) ?? []).filter((line) => !line.startsWith(`${partNumber} `));
    const lines = [...others, partLine(partNumber, md5Of(this.#remember(body)), body.byteLength)];
    lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    await this.#settle(this.#oracle.announce([[unit, lines]]), () => upload.uploadPart(partNumber, body).then(() => ({})));
  }

  /** Completes with all parts there are. */
  async complete(upload: MultipartUpload): Promise<void> {
    const unit = this.#uploadUnit(upload);
    const parts = (this.#oracle.get(unit) as readonly string[]).map((line) => line.split(" ") as [string, string]);
    const bodies = parts.map(([, etag]) => this.#bodies.get(etag) as Uint8Array);
    const body = this.#remember(new Uint8Array(Buffer.concat(bodies)));
    const change = this.#oracle.announce([[unit, undefined], this.#added(upload.key, multipartMd5Of(bodies), body)]);
    await this.#settle(change, () => upload.complete(parts.map(([number, etag]) => ({ partNumber: Number(number), etag }))));
  }

  async abort(upload: MultipartUpload): Promise<void> {
    await this.#settle(this.#oracle.announce([[this.#uploadUnit(upload), undefined]]), () => upload.abort().then(() => ({})));
  }

  async #settle(change: AnnouncedChange, operation: () => Promise<Answer>): Promise<void> {
    try {
      const { versionId } = await operation();
      this.#oracle.acknowledge(change, { id: versionId });
    } catch (error) {
      this.#refused(change, error);
      throw error;
    }
  }

  /** An error says that nothing has happened, unless it says that this is not known. */
  #refused(change: AnnouncedChange, error: unknown): void {
    if (isHoldfastError(error) && error.details.indeterminate !== true) this.#oracle.withdraw(change);
  }

  get #versioning(): string {
    return this.#oracle.get(bucketUnit(this.bucket.name))?.[0] ?? "off";
  }

  #added(key: string, etag: string, body: Uint8Array, tags: Tags = {}): [string, readonly string[]] {
    return this.#inFront(key, versionLine("?", etag, body, tags));
  }

  #removed(key: string): [string, readonly string[] | undefined] {
    return this.#versioning === "off" ? [this.#unit(key), undefined] : this.#inFront(key, "? marker");
  }

  #inFront(key: string, line: string): [string, readonly string[]] {
    const versioning = this.#versioning;
    const older = this.#lines(key).filter(
      (other) => versioning === "enabled" || (versioning === "suspended" && !other.startsWith("null ")),
    );
    return [this.#unit(key), [line, ...older]];
  }

  #lines(key: string): readonly string[] {
    return this.#oracle.get(this.#unit(key)) ?? [];
  }

  #unit(key: string): string {
    return keyUnit(this.bucket.name, key);
  }

  #uploadUnit(upload: MultipartUpload): string {
    return uploadUnit(this.bucket.name, upload.key, upload.uploadId);
  }

  #remember(body: Uint8Array): Uint8Array {
    this.#bodies.set(md5Of(body), body);
    return body;
  }
}
