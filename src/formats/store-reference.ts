/**
 * Store references: the URIs that name a store, `https://cache.nixos.org?priority=10`, and their short forms `auto`,
 * `daemon`, `local` and `/path`. Whether such a store can be opened is decided elsewhere.
 *
 * Source: Nix 2.35 libstore/store-reference.cc; manual, "Store URL format".
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';

/** A store as the user names it, taken apart. */
export interface StoreReference {
  /** `https`, `file`, `local`, `memory`, …; `auto` and `daemon` for the short forms. */
  readonly scheme: string;
  /** Host and path, percent-encoded: `cache.nixos.org/x`, `/tmp/a%20b`. May hold credentials. */
  readonly authority: string;
  /** Decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** Scheme, authority with the path, query. The authority is checked on its own. */
const URI = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/s;
const PATH_CHARACTERS = String.raw`(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*`;
const HOST_CHARACTERS = String.raw`(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*`;
const USER = String.raw`(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*@`;
const IPV6 = String.raw`\[[0-9A-Fa-f:.]+(?:%25(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})+)?\]`;
const AUTHORITY = new RegExp(`^(?:${USER})?(?:${IPV6}|${HOST_CHARACTERS})(?::[0-9]*)?(?:/${PATH_CHARACTERS})?$`);
/** An IPv6 address without brackets, or with a zone whose % is not encoded: no URI, but Nix has always taken it. */
const BARE_IPV6 = /^([^@/]*@)?(\[)?([0-9A-Fa-f:.]+)(?:%([A-Za-z0-9\-._~]+))?(\])?$/;

/**
 * Reads a URI or a short form.
 *
 * @param uri - a relative path is not taken: what it is relative to is not known here.
 * @throws {FormatError} on what is neither a URI nor a short form, and on parameters without `=` or given twice.
 */
export function parseStoreReference(uri: string): StoreReference {
  const question = uri.indexOf('?');
  const end = question < 0 ? uri.length : question;
  const reference = parseBase(uri.slice(0, end));
  if (reference === undefined) {
    throw new FormatError('store reference', 0, `${quote(withoutCredentials(uri))} names no store`, {
      hint: "write a URI such as 'https://cache.nixos.org', 'local', 'daemon', 'auto', or an absolute path",
    });
  }
  const params = parseParams(uri, end + 1);
  if (reference.scheme !== 'daemon' || Object.keys(params).length === 0) return { ...reference, params };
  return { scheme: 'unix', authority: '', params };
}

/** The URI of a store reference, parameters in alphabetical order. */
export function printStoreReference({ scheme, authority, params }: StoreReference): string {
  const query = Object.keys(params)
    .sort()
    .map((name) => `${encodeParam(name)}=${encodeParam(params[name]!)}`)
    .join('&');
  const short = scheme === 'auto' || scheme === 'daemon' || (scheme === 'local' && authority === '' && query === '');
  return (short ? scheme : `${scheme}://${authority}`) + (query === '' ? '' : `?${query}`);
}

/** The path of a `local` or `file` reference as the file system has it, with its percent-encoding undone. */
export function pathOfStoreReference({ authority }: StoreReference): string {
  return decode(authority);
}

/** The URI without user name and password, fit for messages. Never throws, so that it serves for broken URIs too. */
export function withoutCredentials(uri: string): string {
  const [, start, rest] = /^([A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?)(.*)$/s.exec(uri) ?? [];
  if (start === undefined || rest === undefined) return uri;
  const wellFormed = AUTHORITY.test(rest.replace(/[?#].*$/s, ''));
  // Where the URI is broken, a password may hold any character: all up to the last @ goes.
  return start + rest.replace(wellFormed ? /^[^/?#]*@/ : /^.*@/s, '');
}

function parseBase(base: string): Omit<StoreReference, 'params'> | undefined {
  if (base === '' || base === 'auto') return { scheme: 'auto', authority: '' };
  if (base === 'daemon' || base === 'local') return { scheme: base, authority: '' };
  if (base.startsWith('/')) return { scheme: 'local', authority: encodePath(base) };
  const [, scheme, rest] = URI.exec(base) ?? [];
  if (scheme === undefined || rest === undefined) return undefined;
  const authority = AUTHORITY.test(rest) ? rest : parseBareIpv6(rest);
  return authority === undefined ? undefined : { scheme, authority };
}

function parseBareIpv6(text: string): string | undefined {
  const [, user = '', opened, address, zone, closed] = BARE_IPV6.exec(text) ?? [];
  if (opened?.length !== closed?.length || !URL.canParse(`ssh://[${address}]`)) return undefined;
  return `${user}[${address}${zone === undefined ? '' : `%25${zone}`}]`;
}

/** Reads the query that starts at `start`. */
function parseParams(uri: string, start: number): Record<string, string> {
  const params = new Map<string, string>();
  for (const part of uri.slice(start).split('&')) {
    if (part === '') continue;
    const broken = (problem: string): FormatError => new FormatError('store reference', start, problem);
    const [name, value] = part.split(/=(.*)/s, 2).map(decode);
    if (part.includes('#')) throw broken(`'#' in parameter ${quote(part)}, write %23`);
    if (name === undefined || value === undefined) throw broken(`no '=' in parameter ${quote(part)}`);
    if (params.has(name)) throw broken(`parameter ${quote(name)} is given twice`);
    params.set(name, value);
  }
  return Object.fromEntries(params);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new FormatError('store reference', 0, `bad percent-encoding in ${quote(text)}`, { cause });
  }
}

function encodePath(path: string): string {
  return encode(path).replace(/%(?:2F|3A|40)/g, decodeURIComponent);
}

function encodeParam(text: string): string {
  return encode(text).replace(/%(?:2F|3A|40|3F)/g, decodeURIComponent);
}

/** Leaves only letters, digits and `-._~` as they are. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
