/**
 * Every setting of nix.conf as a flag, spelled as Nix spells it: `--max-substitution-jobs 32`, `--keep-going`,
 * `--no-require-sigs`, `--option NAME VALUE`. What commander has no form for is rewritten before it parses.
 */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import { parseSetting, SETTINGS, type SettingName, type Settings } from '../settings.ts';

const SHORT: Partial<Record<SettingName, string>> = { 'keep-going': '-k', 'max-jobs': '-j' };
const BOOLEANS = ['true', 'false', 'yes', 'no'];
const GROUP = 'Settings, as in nix.conf:';

/** Adds the flags; `onSetting` is called for each that is given, in order. */
export function addSettingsFlags(program: Command, onSetting: (setting: Partial<Settings>) => void): void {
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    program.addOption(settingFlag(name));
    program.on(`option:${name}`, (text: string) => onSetting(parseSetting(name, text)));
  }
  program.addOption(new Option('--option <name=value>', 'any of the settings below').helpGroup('Common options:'));
  program.on('option:option', (text: string) => {
    const equals = text.indexOf('=');
    onSetting(parseSetting(text.slice(0, equals), text.slice(equals + 1)));
  });
}

/** How help shows a flag whose real form is not what commander knows. */
export function flagTerm(option: Option): string {
  if (option.long === '--option') return '--option <name> <value>';
  return option.flags.replace(' <boolean>', '');
}

/**
 * Gives settings their value: `--keep-going` becomes `--keep-going=true`, `--no-keep-going` `--keep-going=false`, and
 * `--option NAME VALUE` one argument. What follows `--` stays as it is.
 *
 * @throws {UsageError} on `--option` without name and value.
 */
export function rewriteFlags(args: readonly string[]): string[] {
  const rewritten: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === '--') return [...rewritten, ...args.slice(index)];
    if (arg === '--option') {
      const [name, value] = args.slice(index + 1, index + 3);
      if (value === undefined) throw new UsageError("'--option' wants a name and a value");
      rewritten.push(`--option=${name}=${value}`);
      index += 2;
    } else if (isBooleanFlag(arg)) {
      const hasValue = BOOLEANS.includes(args[index + 1] ?? '');
      rewritten.push(`${arg}=${hasValue ? args[++index] : 'true'}`);
    } else if (arg.startsWith('--no-') && isBooleanFlag(`--${arg.slice(5)}`)) {
      rewritten.push(`--${arg.slice(5)}=false`);
    } else if (arg === '-k') {
      rewritten.push('--keep-going=true');
    } else {
      rewritten.push(arg);
    }
  }
  return rewritten;
}

function settingFlag(name: SettingName): Option {
  const { kind, about, default: value } = SETTINGS[name];
  const flags = [SHORT[name], `--${name}`].filter((flag) => flag !== undefined).join(', ');
  const negated = kind === 'boolean' && value ? `, or --no-${name}` : '';
  const shown = Array.isArray(value) ? value.join(' ') : String(value);
  const description = `${about}${shown === '' ? '' : ` (default: ${shown}${negated})`}`;
  return new Option(`${flags} <${kind === 'strings' ? 'list' : kind}>`, description).helpGroup(GROUP);
}

function isBooleanFlag(arg: string): boolean {
  const name = arg.slice(2);
  return arg.startsWith('--') && Object.hasOwn(SETTINGS, name) && SETTINGS[name as SettingName].kind === 'boolean';
}
