/**
 * Narinfo files: what a binary cache says of one store path. Lines of `Field: value`; only `Sig` may come twice.
 * Signatures cover path, NarHash, NarSize and References, and none of the other fields.
 *
 *     StorePath: /nix/store/HASH-NAME      required
 *     URL: nar/FILEHASH.nar.xz             required; relative to the cache
 *     Compression: xz                      bzip2 where missing
 *     FileHash: sha256:NIX32               of the compressed file
 *     FileSize: 21                         of the compressed file, in bytes
 *     NarHash: sha256:NIX32                required
 *     NarSize: 120                         required, in bytes
 *     References: HASH-NAME HASH-NAME      base names
 *     Deriver: HASH-NAME.drv               or `unknown-deriver`
 *     Sig: KEYNAME:BASE64
 *     CA: fixed:r:sha256:NIX32
 *
 * Source: Nix 2.35 libstore/nar-info.cc.
 */
import { FormatError } from '../errors.ts';
import { parseContentAddress, printContentAddress } from './content-address.ts';
import { type Hash, parseHash, printHash } from './hash.ts';
import { type PathInfo, type PathInfoJsonFormat, toPathInfoJson } from './path-info.ts';
import { quote } from './quote.ts';
import { parseBaseName, parseStorePath, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** Path info, and where the cache has the NAR. Plain data: it survives structured clone. */
export interface NarInfo extends PathInfo {
  /** Where the compressed NAR is, relative to the cache, as given: it may have a query. */
  readonly url: string;
  /** The name of the compression, whether or not this project knows it. */
  readonly compression: string;
  /** Of the compressed file. */
  readonly fileHash?: Hash | undefined;
  /** Bytes of the compressed file. */
  readonly fileSize?: number | undefined;
}

/**
 * Bytes in the largest narinfo that is read: room for 4,000 references of the longest kind, or 17,000 ordinary ones,
 * while 64 hostile answers at once still fit in memory.
 */
export const MAX_NARINFO_SIZE: number = 1024 * 1024;

/** Checking one takes a tenth of a millisecond, so that a file full of them would hold up the thread for seconds. */
const MAX_SIGNATURES = 64;

/** The fields that are read, but for `Sig`; any other is ignored. */
const FIELDS = [
  'StorePath',
  'URL',
  'Compression',
  'FileHash',
  'FileSize',
  'NarHash',
  'NarSize',
  'References',
  'Deriver',
  'CA',
] as const;
type Field = (typeof FIELDS)[number];
const KNOWN: ReadonlySet<string> = new Set(FIELDS);

/** Whether a store told of a path in the way binary caches do. */
export function isNarInfo(info: PathInfo): info is NarInfo {
  return 'url' in info;
}

/**
 * Reads a narinfo of the given store directory.
 *
 * @throws {FormatError} that names the field and points at its line (at the end of the text for a missing field).
 */
export function parseNarInfo(storeDir: StoreDir, text: string): NarInfo {
  const { values, signatures } = splitLines(text);

  function read<T>(field: Field, parse: (value: string) => T): T | undefined {
    const value = values.get(field);
    if (value === undefined) return undefined;
    try {
      return parse(value);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const start = text.startsWith(`${field}:`) ? 0 : text.indexOf(`\n${field}:`) + 1;
      throw broken(text, start, `${field}: ${cause.message}`, cause);
    }
  }

  function required<T>(field: Field, parse: (value: string) => T): T {
    const value = read(field, parse);
    if (value === undefined) throw broken(text, text.length, `no ${field}`);
    return value;
  }

  return {
    path: required('StorePath', (value) => parseStorePath(storeDir, value)),
    narHash: required('NarHash', parseNarHash),
    narSize: required('NarSize', parseNarSize),
    references: read('References', parseReferences) ?? [],
    deriver: read('Deriver', (value) => (value === 'unknown-deriver' ? undefined : parseBaseName(value))),
    signatures,
    contentAddress: read('CA', (value) => (value === '' ? undefined : parseContentAddress(value))),
    url: required('URL', parseUrl),
    compression: values.get('Compression') || 'bzip2', // caches older than the field have nothing else
    fileHash: read('FileHash', parseHash),
    fileSize: read('FileSize', (value) => parseSize(value) || undefined), // Nix has 0 for unknown
  };
}

/** Writes a narinfo as Nix does, byte for byte. */
export function printNarInfo(storeDir: StoreDir, info: NarInfo): string {
  const lines: [field: string, value: string][] = [
    ['StorePath', printStorePath(storeDir, info.path)],
    ['URL', info.url],
    ['Compression', info.compression],
  ];
  if (info.fileHash !== undefined) lines.push(['FileHash', printHash(info.fileHash, 'nix32')]);
  if (info.fileSize !== undefined) lines.push(['FileSize', String(info.fileSize)]);
  lines.push(['NarHash', printHash(info.narHash, 'nix32')]);
  lines.push(['NarSize', String(info.narSize)]);
  lines.push(['References', info.references.join(' ')]);
  if (info.deriver !== undefined) lines.push(['Deriver', info.deriver]);
  for (const signature of info.signatures) lines.push(['Sig', signature]);
  if (info.contentAddress !== undefined) lines.push(['CA', printContentAddress(info.contentAddress)]);
  return lines.map(([field, value]) => `${field}: ${value}\n`).join('');
}

/** The JSON of `path-info --json` for a path in a binary cache: {@link toPathInfoJson}, and the fields of the cache. */
export function toNarInfoJson(
  storeDir: StoreDir,
  info: NarInfo,
  format: PathInfoJsonFormat,
): Readonly<Record<string, unknown>> {
  return {
    ...toPathInfoJson(storeDir, info, format),
    compression: info.compression,
    ...(info.fileHash && { downloadHash: printHash(info.fileHash, 'sri') }),
    ...(info.fileSize && { downloadSize: info.fileSize }),
    url: info.url,
  };
}

function splitLines(text: string): { values: Map<string, string>; signatures: string[] } {
  if (text.length > MAX_NARINFO_SIZE) {
    throw new FormatError('narinfo', MAX_NARINFO_SIZE, `longer than the limit of ${MAX_NARINFO_SIZE} bytes`);
  }
  const values = new Map<string, string>();
  const signatures: string[] = [];
  for (let start = 0, end: number; start < text.length; start = end + 1) {
    end = text.indexOf('\n', start);
    // Without its newline the last line may be cut off.
    if (end < 0) throw broken(text, start, 'the last line does not end');
    const colon = text.indexOf(':', start);
    if (colon < 0 || colon > end) throw broken(text, start, `no field in line ${quote(text.slice(start, end))}`);
    const field = text.slice(start, colon);
    if (text[colon + 1] !== ' ' && colon + 1 !== end) throw broken(text, start, `no space after ${quote(`${field}:`)}`);
    const value = text.slice(colon + 2, end);
    if (field === 'Sig') {
      if (!/^[^:]+:./.test(value)) throw broken(text, start, `Sig: wanted NAME:BASE64, got ${quote(value)}`);
      if (signatures.length === MAX_SIGNATURES) throw broken(text, start, `Sig: more than ${MAX_SIGNATURES}`);
      signatures.push(value);
    } else if (KNOWN.has(field)) {
      if (values.has(field)) throw broken(text, start, `${field} comes twice`);
      values.set(field, value);
    }
  }
  return { values, signatures };
}

function parseUrl(value: string): string {
  if (value === '') throw new FormatError('URL', 0, 'it is empty');
  return value;
}

function parseNarHash(value: string): Hash {
  const hash = parseHash(value);
  if (hash.algorithm !== 'sha256') throw new FormatError('hash', 0, `wanted sha256, got ${hash.algorithm}`);
  return hash;
}

function parseNarSize(value: string): number {
  const size = parseSize(value);
  if (size === 0) throw new FormatError('size', 0, 'no NAR has 0 bytes');
  return size;
}

function parseSize(value: string): number {
  const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new FormatError('size', 0, `wanted a number of bytes, got ${quote(value)}`);
  return size;
}

/** Sorted and each once, whatever order the cache has them in. */
function parseReferences(value: string): StorePath[] {
  const references = value
    .split(' ')
    .filter((word) => word !== '')
    .map(parseBaseName);
  const ordered = references.every((path, index) => index === 0 || references[index - 1]! < path);
  return ordered ? references : [...new Set(references)].sort();
}

function broken(text: string, start: number, problem: string, cause?: unknown): FormatError {
  return new FormatError('narinfo', Buffer.byteLength(text.slice(0, start)), problem, { cause });
}
