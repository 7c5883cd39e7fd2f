/**
 * How `ssh` is called for a store: its arguments, out of a URI and of `NIX_SSHOPTS`.
 *
 * Source: Nix 2.35 libstore/ssh.cc; OpenSSH ssh(1), ssh_config(5).
 */
import { isAbsolute } from 'node:path';
import { UsageError } from '../../errors.ts';
import { decodeBase64 } from '../../formats/base64.ts';
import { quoteShellWord, splitShellWords } from '../../formats/shell-words.ts';
import { type StoreReference, withoutCredentials } from '../../formats/store-reference.ts';
import { booleanParam } from '../store-params.ts';

/** The names that {@link sshTarget} knows. */
export const SSH_PARAMS = [
  'base64-ssh-public-host-key',
  'compress',
  'remote-program',
  'remote-store',
  'ssh-key',
] as const;

/** Where to log in, and how. */
export interface SshTarget {
  readonly user: string | undefined;
  readonly host: string;
  readonly port: string | undefined;
  /** A file. */
  readonly key: string | undefined;
  /** A line of a known-hosts file without the names in front. */
  readonly hostKey: string | undefined;
  readonly compress: boolean;
  /** What is run there, as its shell reads it. */
  readonly command: string;
}

/** In seconds, and how often: a host that says nothing for so long is gone. Files of ssh's configuration do not count then. */
const ALIVE = ['-oServerAliveInterval=15', '-oServerAliveCountMax=4'];

/**
 * @param program - the default of what is run there, and its arguments.
 * @throws {UsageError} on a URI that names no host, and on parameters that make no sense. Messages hold no password.
 */
export function sshTarget(
  { scheme, authority, params }: StoreReference,
  program: { readonly name: string; readonly args: readonly string[] },
): SshTarget {
  const shown = withoutCredentials(`${scheme}://${authority}`);
  const wrong = (problem: string): UsageError => new UsageError(`store '${shown}' ${problem}`);
  const [, login, address, port] = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?\/?$/.exec(authority) ?? [];
  if (address === undefined) throw wrong('wants user, host and port, and nothing else');
  if (login?.includes(':')) throw wrong('has a password: ssh takes none');
  const [user, host] = [login, address.replace(/^\[|\]$/g, '')].map((text) => text && decode(text, wrong));
  if (!host) throw wrong('names no host');
  // An argument that begins so would be an option.
  for (const word of [user, host]) if (word?.startsWith('-')) throw wrong(`has a name that begins with '-'`);
  if (user === '') throw wrong('names no user before the @');
  const key = params['ssh-key'];
  if (key !== undefined && !isAbsolute(key))
    throw new UsageError(`store parameter 'ssh-key' wants a path, got '${key}'`);
  const hostKey = params['base64-ssh-public-host-key'] || undefined;
  const remoteStore = params['remote-store'];
  const args = [...program.args, ...(remoteStore ? ['--store', remoteStore] : [])];
  return {
    user,
    host,
    port,
    key,
    hostKey: hostKey && decodeHostKey(hostKey),
    compress: booleanParam(params, 'compress') ?? false,
    // The program is the user's own text, with `~` and all that a shell knows.
    command: [params['remote-program'] || program.name, ...args.map(quoteShellWord)].join(' '),
  };
}

/**
 * The arguments of `ssh`. Of options that are given twice ssh takes the first.
 *
 * @param knownHosts - a file with the key of the host, where that is given.
 * @throws {FormatError} on a quote in `options` that does not end.
 */
export function sshArguments(
  { user, host, port, key, compress, command }: SshTarget,
  { options = '', knownHosts, connectTimeout }: SshArgumentOptions,
): string[] {
  return [
    user === undefined ? host : `${user}@${host}`,
    '-x',
    '-T',
    // Whose key is given is nobody else: no option may say otherwise.
    ...(knownHosts === undefined ? [] : [`-oUserKnownHostsFile=${knownHosts}`, '-oStrictHostKeyChecking=yes']),
    ...splitShellWords(options),
    ...(key === undefined ? [] : ['-i', key]),
    ...(compress ? ['-C'] : []),
    ...(port === undefined ? [] : [`-p${port}`]),
    ...(connectTimeout > 0 ? [`-oConnectTimeout=${connectTimeout}`] : []),
    ...ALIVE,
    '--',
    command,
  ];
}

export interface SshArgumentOptions {
  /** `NIX_SSHOPTS`. */
  readonly options?: string | undefined;
  readonly knownHosts?: string | undefined;
  /** In seconds; 0 leaves it to ssh. */
  readonly connectTimeout: number;
}

/** The line of a known-hosts file: a port other than 22 is part of the name. */
export function knownHostsLine({ host, port }: SshTarget, hostKey: string): string {
  const names = port === undefined || port === '22' ? host : `[${host}]:${port}`;
  return `${names} ${hostKey}\n`;
}

function decodeHostKey(base64: string): string {
  const unpadded = base64.replace(/=+$/, '');
  const bytes = decodeBase64(unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '='));
  const line = bytes === undefined ? '' : Buffer.from(bytes).toString('latin1').trim();
  if (/^[\x20-\x7e]+$/.test(line)) return line;
  throw new UsageError(
    "store parameter 'base64-ssh-public-host-key' wants one line of base64, such as that of a machines file",
  );
}

function decode(text: string, wrong: (problem: string) => UsageError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('has a bad percent-encoding');
  }
}
