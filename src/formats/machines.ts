/**
 * The machines that build for this one, as setting `builders` and the file `/etc/nix/machines` list them: one a line, or
 * with `;` between them, each with up to eight fields, where `-` stands for the default:
 *
 *     ssh://user@host  x86_64-linux,i686-linux  /root/.ssh/key  8  1.5  kvm,big-parallel  benchmark  BASE64
 *     store            systems                  SSH key         jobs speed  features      mandatory  host key
 *
 * Source: Nix 2.35 libstore/machines.cc; manual, "Remote Builds".
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';
import {
  parseStoreReference,
  printStoreReference,
  type StoreReference,
  withoutCredentials,
} from './store-reference.ts';

/** Plain data: it survives structured clone. */
export interface Machine {
  /** The URI of its store, with the SSH key and the host key among its parameters. */
  readonly store: string;
  /** Whose derivations it builds. */
  readonly systems: readonly string[];
  /** How many derivations it builds at once. */
  readonly maxJobs: number;
  /** How fast it is, compared to others. Above 0. */
  readonly speedFactor: number;
  /** What it can do, mandatory features not among them. */
  readonly supportedFeatures: readonly string[];
  /** It builds only derivations that want all of these. */
  readonly mandatoryFeatures: readonly string[];
}

/** One line of the text: a machine, or the name of a file with more lines, which is left out where it does not exist. */
export type MachineEntry = { readonly machine: Machine } | { readonly include: string };

export interface MachineDefaults {
  /** Of a machine that does not say. */
  readonly systems: readonly string[];
}

const MAX_JOBS = 2 ** 32 - 1;
/** What C++ takes for a number, as far as it is finite; a sign is looked at on its own. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * Reads the machines of a text. The caller reads the files that it includes, and bounds how deep that goes.
 *
 * @throws {FormatError} on a line that is none; the offset is where in the text it begins, in characters.
 */
export function parseMachines(text: string, defaults: MachineDefaults): MachineEntry[] {
  const entries: MachineEntry[] = [];
  let offset = 0;
  for (const line of text.split('\n')) {
    let start = offset;
    for (const part of line.replace(/#.*/s, '').split(';')) {
      const entry = trim(part);
      if (entry.startsWith('@')) entries.push({ include: trim(entry.slice(1)) });
      else if (entry !== '') entries.push({ machine: parseMachine(entry, start, defaults) });
      start += part.length + 1;
    }
    offset += line.length + 1;
  }
  return entries;
}

/** Whether it builds for `system`; what is built in can be done anywhere. */
export function supportsSystem({ systems }: Machine, system: string): boolean {
  return system === 'builtin' || systems.includes(system);
}

/** Whether it can build what wants these features, and is not kept for others. */
export function supportsFeatures(machine: Machine, features: readonly string[]): boolean {
  const { supportedFeatures, mandatoryFeatures } = machine;
  return (
    features.every((feature) => supportedFeatures.includes(feature) || mandatoryFeatures.includes(feature)) &&
    mandatoryFeatures.every((feature) => features.includes(feature))
  );
}

function parseMachine(line: string, offset: number, defaults: MachineDefaults): Machine {
  const fields = line.split(/[ \t\r]+/);
  const field = (index: number): string | undefined => (fields[index] === '-' ? undefined : fields[index]);
  const broken = (problem: string): FormatError => {
    const shown = withoutCredentials(fields[0] === '-' ? line : fields[0]!);
    return new FormatError('machine', offset, `${problem}, in ${quote(shown)}`);
  };
  const [uri, systems, sshKey, jobs, speed, supported, mandatory, hostKey] = fields.map((_, index) => field(index));
  if (uri === undefined) throw broken('no store in the first field');
  if (hostKey !== undefined && !isBase64(hostKey)) throw broken(`${quote(hostKey)} is no host key in base64`);
  return {
    store: storeOf(uri, { 'ssh-key': sshKey, 'base64-ssh-public-host-key': hostKey }, broken),
    systems: systems === undefined ? defaults.systems : words(systems),
    maxJobs: jobs === undefined ? 1 : parseJobs(jobs, broken),
    speedFactor: speed === undefined ? 1 : parseSpeed(speed, broken),
    supportedFeatures: words(supported ?? ''),
    mandatoryFeatures: words(mandatory ?? ''),
  };
}

/** The URI with parameters where it takes them: a plain host name is one of `ssh://`. */
function storeOf(
  text: string,
  ssh: Readonly<Record<string, string | undefined>>,
  broken: (problem: string) => FormatError,
): string {
  const isWord = /^(?:(?:auto|daemon|local)(?:\?|$)|\?)/.test(text);
  const reference = parseUri(text.includes('/') || isWord ? text : `ssh://${text}`, broken);
  if (reference.scheme !== 'ssh' && reference.scheme !== 'ssh-ng') return printStoreReference(reference);
  const given = Object.entries(ssh).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return printStoreReference({ ...reference, params: { ...reference.params, ...Object.fromEntries(given) } });
}

function parseUri(uri: string, broken: (problem: string) => FormatError): StoreReference {
  try {
    return parseStoreReference(uri);
  } catch (error) {
    throw error instanceof FormatError ? broken('no URI of a store') : error;
  }
}

function parseJobs(text: string, broken: (problem: string) => FormatError): number {
  const jobs = Number(text);
  if (!/^\+?\d+$/.test(text) || jobs > MAX_JOBS) throw broken(`${quote(text)} is no number of jobs`);
  return jobs;
}

function parseSpeed(text: string, broken: (problem: string) => FormatError): number {
  const speed = Number(text);
  if (!DECIMAL.test(text) || !Number.isFinite(speed)) throw broken(`${quote(text)} is no speed factor`);
  if (speed < 0) throw broken(`speed factor ${text} is negative`);
  return speed || 1;
}

/** What Nix decodes: padding may be missing. */
function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.replace(/=+$/, '').length % 4 !== 1;
}

function words(text: string): readonly string[] {
  return [...new Set(text.split(',').filter((word) => word !== ''))].sort();
}

function trim(text: string): string {
  return text.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
}
