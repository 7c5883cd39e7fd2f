/**
 * What the files of a binary cache say of themselves to web servers.
 *
 * Source: Nix 2.35 libstore/binary-cache-store.cc.
 */
import { CACHE_INFO } from './cache-info.ts';

/** The Content-Type of a file by its name. */
export function mediaType(name: string): string {
  if (name === CACHE_INFO) return 'text/x-nix-cache-info';
  if (name.endsWith('.narinfo')) return 'text/x-nix-narinfo';
  return name.startsWith('nar/') ? 'application/x-nix-nar' : 'application/octet-stream';
}
