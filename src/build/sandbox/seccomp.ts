/**
 * A filter of system calls, as Nix has it: builders can give no file a set-user-ID or set-group-ID bit, which would
 * work outside of the sandbox too while they run; and files have no extended attributes, which a store cannot keep.
 *
 * Source: Nix 2.35 libstore/linux/build/linux-derivation-builder.cc, setupSeccomp; Linux man-pages seccomp(2);
 * include/uapi/linux/bpf_common.h, audit.h, the tables of system calls of each architecture.
 */

/** One architecture's numbers of system calls; the place of `mode` among the arguments where that matters. */
interface Architecture {
  /** As the kernel calls it: AUDIT_ARCH_…. */
  readonly audit: number;
  readonly changeMode: readonly (readonly [number: number, argument: number])[];
  readonly attributes: readonly number[];
}

const range = (from: number): number[] => Array.from({ length: 9 }, (_, index) => from + index);
/** Of x86 with 32 bits, and of ARM, which has another fchmodat(2). */
const old = (audit: number, fchmodat: number): Architecture => ({
  audit,
  changeMode: [
    [15, 1],
    [94, 1],
    [fchmodat, 2],
    [452, 2],
  ],
  attributes: range(226),
});
const X86_64: Architecture = {
  audit: 0xc000003e,
  changeMode: [
    [90, 1],
    [91, 1],
    [268, 2],
    [452, 2],
  ],
  attributes: range(188),
};
const AARCH64: Architecture = {
  audit: 0xc00000b7,
  changeMode: [
    [52, 1],
    [53, 2],
    [452, 2],
  ],
  attributes: range(5),
};

/** What programs of each kind of machine may be. */
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, readonly Architecture[]>> = {
  x64: [X86_64, old(0x40000003, 306)],
  arm64: [AARCH64, old(0x40000028, 333)],
};

/** Set in the numbers of system calls of x86-64 with pointers of 32 bits, which has the same numbers otherwise. */
const X32 = 0x40000000;
const SET_ID = 0o6000;
const EPERM = 1;
const EOPNOTSUPP = 95;

/** Codes of instructions. */
const LOAD = 0x20;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const ERROR = 0x00050000;
/** Where what a filter looks at is, in struct seccomp_data. */
const AT = { number: 0, architecture: 4, arguments: 16 } as const;

type Instruction = readonly [code: number, yes: number, no: number, k: number];

/** The program for this kind of machine; undefined where its system calls are not known here. */
export function seccompFilter(arch: NodeJS.Architecture = process.arch): Buffer | undefined {
  const architectures = ARCHITECTURES[arch];
  if (architectures === undefined) return undefined;
  const program = [...architectures.flatMap(rulesOf), [RETURN, 0, 0, ALLOW] as Instruction];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, yes, no, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes;
}

/** Rules that end with an answer where the architecture is this one, and fall through otherwise. */
function rulesOf({ audit, changeMode, attributes }: Architecture): Instruction[] {
  const body: Instruction[] = [
    [LOAD, 0, 0, AT.number],
    [AND, 0, 0, ~X32 >>> 0],
    ...changeMode.flatMap(([number, argument]): Instruction[] => [
      [JUMP_IF_EQUAL, 0, 4, number],
      // Its lower half: these machines are little-endian.
      [LOAD, 0, 0, AT.arguments + 8 * argument],
      [JUMP_IF_ANY_BIT, 0, 1, SET_ID],
      [RETURN, 0, 0, ERROR | EPERM],
      [RETURN, 0, 0, ALLOW],
    ]),
    ...attributes.flatMap((number): Instruction[] => [
      [JUMP_IF_EQUAL, 0, 1, number],
      [RETURN, 0, 0, ERROR | EOPNOTSUPP],
    ]),
    [RETURN, 0, 0, ALLOW],
  ];
  return [[LOAD, 0, 0, AT.architecture], [JUMP_IF_EQUAL, 0, body.length, audit], ...body];
}
