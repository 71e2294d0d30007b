/**
 * Parity and checksums as they are stored, for ever: a change that fails here makes written data unreadable. docs/formats/parity.md
 * draws the same examples.
 */
import { describe, expect, it } from "vitest";
import { toHex } from "../base/bytes.ts";
import type { CodeKernel } from "./kernel.ts";
import { referenceKernel } from "./reference-kernel.ts";
import { type WasmArena, wasmArena } from "./wasm-arena.ts";
import { createWasmKernel } from "./wasm-kernel.ts";
import { checksum } from "./xxh3.ts";

const arena = wasmArena() as WasmArena;
const kernels: CodeKernel[] = [referenceKernel, createWasmKernel(arena, { fence: false }), createWasmKernel(arena, { fence: true })];

/** Per parity row: its first unit, and the checksum of all its 256 bytes. */
const golden: readonly { data: number; rows: readonly (readonly [unit: string, checksum: string])[] }[] = [
  {
    data: 4,
    rows: [
      [
        "000810082018103840583038204870888088b0486078705840789098e008100800081008609890f8c0d8f0f8e0c8b0888088f0c8203830d8c038101820081008" +
          "0008100820181038c0d8303820c8f0888088b0c8e0f8f0d8c0f890986008100800081008e0989078405870786048b08880887048203830584038101820081008",
        "826fa066defa971d",
      ],
      [
        "c0d8d08800a8d0e80028706880a87098c0c890f8c0f810388098f05880b8f008808306680eac96f390f1528eb692f231c1d8932b8707f388210a1785bfe1a74a" +
          "223efa967236eaee226e2a9652e6ba7e6275ece63cc2ec45326748e0e46cf8c7a3ae3905b549c9fe039c4d0bed9fadbc40485078c01890788098f0f880d8f088",
        "3cce8ffc4c9383b7",
      ],
    ],
  },
  {
    data: 8,
    rows: [
      [
        "00102010407020308050e0d0407060f00030a030c0d0a05080f0e0b0c010e0100010601040b0607080d0a0504030a0300070e0f0c05060d0803020f0c0102010" +
          "00102010c0f0203080d06050c0f0e0700030a0304050a0d0807060b0401060100010e010c0b0e0f08050a0d0c030a03000f0607040d0e0508030207040102010",
        "185e908fb7052783",
      ],
      [
        "e2066a6e322e9a66a266ba6ed29ecac6e6014832d8a6283136f34cc480b81c13c5bf71376dcf811fb5dfa1af2d67f19f8597c18f6d173187b5a7f1d76ddf21f7" +
          "8123e55b895375f3b13335d349cb8543a3def955751949ae036c8dbb2d4fedec401bd630ce74e6fb90f942f6f66a824905346767a3db07f4251643b99b2d73a6",
        "7fdcd48de8c7e80a",
      ],
      [
        "e537818f2d4771c7b567b1e7edbf61d7f0e75e748e68bed7e035daaaf60e8a955645902e78d22055c6f7a4302004a4d7b4c3fad06a9cbaf364519e7ed2ea2ed1" +
          "560de066785ab02d46efd47820ec349f95a05f5be30fefe055828bed1b51abd2b4e39a202aacbab3e4d19eee52fa4ef1335a81e9951d614a7368c51f0db375e8",
        "38fc63133aaa7306",
      ],
      [
        "927212c2d2fa3272923272ba3272525241506323a79f63d001b227fd1f591762b06faefc8ea08e0f40cdcae236163a3d2567214fede7913795f7d107ad2f61c7" +
          "e64ade1236924e5a06fa4e7216b2feaa66b1486278b6284156a38cf46018bc83f63636e6562e96f61676968e36f63656c3bd7f2d7b853f7d53fdff65dbad9f5d",
        "c03939178b584d65",
      ],
    ],
  },
];

/** Byte i of shard j. */
function goldenByte(i: number, j: number): number {
  return ((i * (2 * j + 3)) ^ ((i * i) >> 3) ^ (17 * j)) & 0xff;
}

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("the %s kernel", (_, kernel) => {
  it("gives the parity that is stored", () => {
    for (const { data, rows } of golden) {
      const shards = Array.from({ length: data }, (_, j) => Uint8Array.from({ length: 256 }, (_, i) => goldenByte(i, j)));
      const parity = rows.map(() => new Uint8Array(256));
      kernel.encode({ data, parity: rows.length }, shards, parity);
      expect(parity.map((shard) => [toHex(shard.subarray(0, 128)), toHex(checksum(shard))])).toEqual(rows);
    }
  });

  it("spreads a single bit as the drawing says", () => {
    const shards = Array.from({ length: 4 }, () => new Uint8Array(128));
    (shards[2] as Uint8Array)[5] = 0x20;
    const parity = Array.from({ length: 4 }, () => new Uint8Array(128));
    kernel.encode({ data: 4, parity: 4 }, shards, parity);
    const bytesSet = parity.map((shard) => [...shard.entries()].filter(([, byte]) => byte !== 0));
    expect(bytesSet).toEqual([
      [[5, 0x20]],
      [[37, 0x20]],
      [
        [5, 0x20],
        [21, 0x20],
        [37, 0x20],
        [101, 0x20],
      ],
      [[69, 0x20]],
    ]);
  });
});

it("the checksum of known bytes is what is stored", () => {
  const bytes = Uint8Array.from({ length: 65_536 }, (_, i) => goldenByte(i, 1));
  const stored: readonly (readonly [length: number, checksum: string])[] = [
    [0, "c294d3380580062d"],
    [1, "bdfecddf2bfe19f3"],
    [3, "dda55f8332140e82"],
    [4, "f8d41ab1b8ca167b"],
    [8, "df81a2419e8e0249"],
    [9, "1de8a86a389f67ff"],
    [16, "2fff3590d69dc769"],
    [17, "22b33c3407199007"],
    [128, "a7f398cc4946c2a2"],
    [129, "cc275b8b196c45e3"],
    [240, "0533df33f3a4f48d"],
    [241, "f61be91f3a4eb588"],
    [1024, "1b16fd29c60e0261"],
    [1025, "585cc5814cc01428"],
    [65536, "72af93e4dff4b0ef"],
  ];
  expect(stored.map(([length]) => [length, toHex(checksum(bytes.subarray(0, length)))])).toEqual(stored);
});
