/**
 * The settings of nix.conf: from their table come the flags of the command line, their help, and the frozen value that
 * is handed to whatever needs it. There are no globals.
 */
import { availableParallelism } from 'node:os';
import { UsageError } from './errors.ts';
import { SETTINGS, type SettingSpec } from './settings-table.ts';

export { SETTINGS, type SettingSpec } from './settings-table.ts';

/** Other spellings of truth. */
const BOOLEAN_WORDS: Readonly<Record<string, string>> = { yes: 'true', 1: 'true', no: 'false', 0: 'false' };

export type SettingName = keyof typeof SETTINGS;

const specs: Readonly<Record<string, SettingSpec>> = SETTINGS;

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;
interface Kinds {
  readonly boolean: boolean;
  readonly integer: number;
  readonly string: string;
  readonly strings: readonly string[];
}

/** Every setting by its camelCase name. Plain data: it survives structured clone. */
export type Settings = { readonly [N in SettingName as CamelCase<N>]: Kinds[(typeof SETTINGS)[N]['kind']] };

/** The name of a setting in code: `max-jobs` is `maxJobs`. */
export function settingKey(name: SettingName): keyof Settings {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings;
}

/** The row of a setting, with what only some rows have. */
export function settingSpec(name: SettingName): SettingSpec {
  return specs[name]!;
}

/** The defaults, with `overrides` on top, frozen. */
export function makeSettings(overrides: Partial<Settings> = {}): Settings {
  const defaults = Object.entries(specs).map(([name, spec]) => [settingKey(name as SettingName), spec.default]);
  return Object.freeze({ ...Object.fromEntries(defaults), ...overrides }) as Settings;
}

/** What a name in nix.conf stands for. */
export interface SettingUse {
  readonly name: SettingName;
  /** Whether it adds to the list that is there, as `extra-substituters` does. */
  readonly appends: boolean;
}

const EXTRA = 'extra-';
const names = new Map<string, SettingName>(
  Object.entries(specs).flatMap(([name, { aliases = [] }]) =>
    [name, ...aliases].map((each) => [each, name as SettingName] as const),
  ),
);

/** Finds a setting by its name or an alias, with or without `extra-`; undefined where nothing is called so. */
export function findSetting(name: string): SettingUse | undefined {
  const known = names.get(name);
  if (known !== undefined) return { name: known, appends: false };
  const list = name.startsWith(EXTRA) ? names.get(name.slice(EXTRA.length)) : undefined;
  return list !== undefined && specs[list]!.kind === 'strings' ? { name: list, appends: true } : undefined;
}

/**
 * Reads the text of one setting, as nix.conf or a flag gives it.
 *
 * @param name - an alias will do, and the name of a list with `extra-`.
 * @param before - what `extra-` adds to; where it lacks the setting, that is the default.
 * @returns a piece to hand to {@link makeSettings}.
 * @throws {UsageError} on an unknown name or a value of the wrong kind.
 */
export function parseSetting(name: string, text: string, before: Partial<Settings> = {}): Partial<Settings> {
  const use = findSetting(name);
  if (use === undefined) {
    throw new UsageError(`unknown setting '${name}'`, { hint: `known settings: ${Object.keys(SETTINGS).join(', ')}` });
  }
  const key = settingKey(use.name);
  const value = parseValue(use.name, text);
  if (!use.appends) return { [key]: value };
  const list = (before[key] ?? specs[use.name]!.default) as readonly string[];
  return { [key]: unique([...list, ...(value as readonly string[])]) };
}

function parseValue(name: SettingName, text: string): SettingSpec['default'] {
  switch (specs[name]!.kind) {
    case 'boolean':
      if (['true', 'yes', '1'].includes(text)) return true;
      if (['false', 'no', '0'].includes(text)) return false;
      throw new UsageError(`setting '${name}' wants true or false, got '${text}'`);
    case 'integer':
      return name === 'max-jobs' && text === 'auto' ? availableParallelism() : parseInteger(name, text);
    case 'strings':
      return unique(text.split(/[ \t\r\n]+/).filter((word) => word !== ''));
    case 'string':
      return parseChoice(name, text);
  }
}

function parseChoice(name: SettingName, text: string): string {
  const { choices } = specs[name]!;
  if (choices === undefined) return text;
  const meant = choices.includes('true') ? (BOOLEAN_WORDS[text] ?? text) : text;
  if (choices.includes(meant)) return meant;
  throw new UsageError(`setting '${name}' wants ${choices.join(' or ')}, got '${text}'`);
}

/** As Nix has them: `4K` is 4096. */
function parseInteger(name: SettingName, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,19})([KMGT]?)$/i.exec(text) ?? [];
  const value = Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ');
  if (Number.isSafeInteger(value)) return value;
  if (name === 'max-free' && value > 0) return Number.MAX_SAFE_INTEGER; // what Nix prints where there is no limit
  throw new UsageError(`setting '${name}' wants a whole number, got '${text}'`);
}

/** A store or a key that is named twice is asked once, in the place where it was named first. */
function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)];
}
