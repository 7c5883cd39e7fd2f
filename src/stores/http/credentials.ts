/**
 * User names and passwords for the requests to a binary cache: those of its URL for the cache itself, those of setting
 * `netrc-file` for it and for every other host that its files are on.
 *
 * Source: Nix 2.35 manual, "netrc-file". Narrower than curl in two ways, since a cache decides where it redirects to: an
 * entry for all hosts is for the cache's own host only, and nothing is sent over http where the cache is named by https.
 */
import { readFile, stat } from 'node:fs/promises';
import { FormatError, StoreError } from '../../errors.ts';
import { findNetrcEntry, type NetrcEntry, parseNetrc } from '../../formats/netrc.ts';
import { SETTINGS } from '../../settings.ts';

/** Nobody has more hosts than fit. */
const MAX_NETRC = 1024 * 1024;

/** The words of `Authorization` for one cache; never shown. */
export class Credentials {
  readonly #origin: string;
  readonly #host: string;
  readonly #secure: boolean;
  readonly #login: string;
  readonly #password: string;
  readonly #netrcFile: string;
  /** By origin. */
  readonly #known = new Map<string, Promise<string | undefined>>();

  /**
   * @param base - the cache's URL; user name and password are taken out of it.
   * @param netrcFile - may be missing; '' for none.
   */
  constructor(base: URL, netrcFile: string) {
    this.#origin = base.origin;
    this.#host = base.hostname;
    this.#secure = base.protocol === 'https:';
    this.#login = decoded(base.username);
    this.#password = decoded(base.password);
    this.#netrcFile = netrcFile;
    base.username = '';
    base.password = '';
  }

  /**
   * What a request to `url` says in header `Authorization`, if anything.
   *
   * @throws {StoreError} where the netrc file cannot be read.
   */
  authorizationFor(url: URL): Promise<string | undefined> {
    const { origin } = url;
    const known = this.#known.get(origin);
    if (known !== undefined) return known;
    const authorization = this.#authorize(url);
    this.#known.set(origin, authorization);
    authorization.catch(() => this.#known.delete(origin));
    return authorization;
  }

  async #authorize(url: URL): Promise<string | undefined> {
    const own = url.origin === this.#origin; // no other host is to see the password
    if (own && this.#password !== '') return basic(this.#login, this.#password);
    const login = own && this.#login !== '' ? this.#login : undefined;
    const found = await this.#find(url, login);
    if (found !== undefined) return basic(login ?? found.login ?? '', found.password ?? '');
    return login === undefined ? undefined : basic(login, '');
  }

  async #find(url: URL, login: string | undefined): Promise<NetrcEntry | undefined> {
    if (this.#netrcFile === '' || (this.#secure && url.protocol !== 'https:')) return undefined;
    const entry = findNetrcEntry(await netrcOf(this.#netrcFile), url.hostname, login);
    return entry?.machine !== undefined || url.hostname === this.#host ? entry : undefined;
  }
}

const read = new Map<string, Promise<readonly NetrcEntry[]>>();

/** Read once a thread; a file that could not be read may be read later. */
function netrcOf(file: string): Promise<readonly NetrcEntry[]> {
  const known = read.get(file);
  if (known !== undefined) return known;
  const entries = readNetrc(file);
  read.set(file, entries);
  entries.catch(() => read.delete(file));
  return entries;
}

async function readNetrc(file: string): Promise<readonly NetrcEntry[]> {
  try {
    const { size } = await stat(file);
    if (size > MAX_NETRC) throw new FormatError('netrc', MAX_NETRC, `the file has ${size} bytes`);
    return parseNetrc(await readFile(file, 'utf8'));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    // Where Nix has a daemon that file is often for root only, and nobody has asked for it.
    if (code === 'EACCES' && file === SETTINGS['netrc-file'].default) return [];
    throw new StoreError(`cannot read the passwords for binary caches: ${message}`, {
      cause,
      hint: `mend '${file}', or name another file with setting 'netrc-file'`,
    });
  }
}

function basic(login: string, password: string): string {
  return `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
}

/** A `%` that escapes nothing is meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
