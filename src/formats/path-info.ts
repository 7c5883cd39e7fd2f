/**
 * What a store knows of a valid path, the text of it that is signed, and its JSON.
 *
 * Source: Nix 2.35 libstore/path-info.cc; manual, "Store Object Info JSON Format".
 */
import { FormatError } from '../errors.ts';
import { type ContentAddress, contentAddressedPath, printContentAddress } from './content-address.ts';
import { type Hash, printHash } from './hash.ts';
import { pathName, printStorePath, type StoreDir, type StorePath } from './store-path.ts';

/** All that is known of one store object besides its contents. Plain data: it survives structured clone. */
export interface PathInfo {
  readonly path: StorePath;
  /** Of the NAR; sha256. */
  readonly narHash: Hash;
  /** Bytes of the NAR. */
  readonly narSize: number;
  /** Sorted, each once; may hold `path` itself. */
  readonly references: readonly StorePath[];
  /** The derivation that made it. */
  readonly deriver?: StorePath | undefined;
  /** `NAME:BASE64`, each over {@link fingerprint}. */
  readonly signatures: readonly string[];
  /** What the path was computed from, where that was its contents. Only a claim until {@link isContentAddressed}. */
  readonly contentAddress?: ContentAddress | undefined;
  /** Seconds since 1970. */
  readonly registrationTime?: number | undefined;
  /** Whether this store built it. */
  readonly ultimate?: boolean | undefined;
}

/** The versions of {@link toPathInfoJson}: 1 has full paths, 2 base names, 3 signatures in parts. */
export const PATH_INFO_JSON_FORMATS = [1, 2, 3] as const;
/** One of {@link PATH_INFO_JSON_FORMATS}. */
export type PathInfoJsonFormat = (typeof PATH_INFO_JSON_FORMATS)[number];

/**
 * The text that signatures cover: `1;PATH;NARHASH;NARSIZE;REFERENCES`, with full paths.
 *
 * @throws {FormatError} where the size is not known, as there is nothing to vouch for then.
 */
export function fingerprint(storeDir: StoreDir, info: PathInfo): string {
  const path = printStorePath(storeDir, info.path);
  if (info.narSize === 0) throw new FormatError('path info', 0, `the NAR size of '${path}' is not known`);
  const references = info.references.length === 0 ? '' : `${storeDir}/${info.references.join(`,${storeDir}/`)}`;
  return `1;${path};${printHash(info.narHash, 'nix32')};${info.narSize};${references}`;
}

/** Whether the path is the one that its content address gives: such a path needs no signature. */
export function isContentAddressed(storeDir: StoreDir, info: PathInfo): boolean {
  if (info.contentAddress === undefined) return false;
  const others = info.references.filter((reference) => reference !== info.path);
  const self = others.length < info.references.length;
  try {
    return contentAddressedPath(storeDir, pathName(info.path), info.contentAddress, others, self) === info.path;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** The JSON of `path-info --json`, keys in alphabetical order. */
export function toPathInfoJson(
  storeDir: StoreDir,
  info: PathInfo,
  format: PathInfoJsonFormat,
): Readonly<Record<string, unknown>> {
  const printPath = (path: StorePath): string => (format === 1 ? printStorePath(storeDir, path) : path);
  return {
    ca: info.contentAddress === undefined ? null : contentAddressJson(info.contentAddress, format),
    deriver: info.deriver === undefined ? null : printPath(info.deriver),
    narHash: printHash(info.narHash, 'sri'),
    narSize: info.narSize,
    references: info.references.map(printPath),
    registrationTime: info.registrationTime || null, // Nix has 0 for unknown
    signatures: info.signatures.map((signature) => signatureJson(signature, format)),
    storeDir,
    ultimate: info.ultimate ?? false,
    version: format,
  };
}

function contentAddressJson(contentAddress: ContentAddress, format: PathInfoJsonFormat): unknown {
  if (format === 1) return printContentAddress(contentAddress);
  return { hash: printHash(contentAddress.hash, 'sri'), method: contentAddress.method };
}

function signatureJson(signature: string, format: PathInfoJsonFormat): unknown {
  if (format !== 3) return signature;
  const colon = signature.indexOf(':');
  return { keyName: signature.slice(0, colon), sig: signature.slice(colon + 1) };
}
