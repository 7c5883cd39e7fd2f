/**
 * Every setting of nix.conf as a flag, spelled as Nix spells it: `--max-substitution-jobs 32`, `--keep-going`,
 * `--no-require-sigs`, `--extra-substituters LIST`, `--option NAME VALUE`. What commander has no form for is rewritten
 * before it parses.
 */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import { findSetting, parseSetting, SETTINGS, type SettingName, settingSpec } from '../settings.ts';

const SHORT: Partial<Record<SettingName, string>> = { 'keep-failed': '-K', 'keep-going': '-k', 'max-jobs': '-j' };
const BOOLEANS = ['true', 'false', 'yes', 'no'];
/** What Nix has flags for that are spelled unlike the setting. */
const REWRITTEN: ReadonlyMap<string, string> = new Map([
  ['-K', '--keep-failed=true'],
  ['-k', '--keep-going=true'],
  ['--relaxed-sandbox', '--sandbox=relaxed'],
]);
const GROUP = 'Settings, as in nix.conf:';

/** Takes a setting as it was given: its name, which may begin with `extra-`, and a text that it can have. */
export type OnSetting = (name: string, text: string) => void;

/**
 * Adds the flags.
 *
 * @param onSetting - called for each that is given, in order.
 * @param isIgnored - which other names `--option` may have, without any effect.
 */
export function addSettingsFlags(
  program: Command,
  onSetting: OnSetting,
  isIgnored: (name: string) => boolean = () => false,
): void {
  const give = (name: string, text: string): void => {
    parseSetting(name, text); // what is wrong is told before anything else is done
    onSetting(name, text);
  };
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    program.addOption(settingFlag(name));
    program.on(`option:${name}`, (text: string) => give(name, text));
    if (settingSpec(name).kind === 'strings') {
      const extra = `extra-${name}`;
      program.addOption(new Option(`--${extra} <list>`).hideHelp());
      program.on(`option:${extra}`, (text: string) => give(extra, text));
    }
  }
  program.addOption(new Option('--option <name=value>', 'any of the settings below').helpGroup('Common options:'));
  program.on('option:option', (text: string) => {
    const equals = text.indexOf('=');
    const name = text.slice(0, equals);
    if (findSetting(name) !== undefined || !isIgnored(name)) give(name, text.slice(equals + 1));
  });
}

/** How help shows a flag whose real form is not what commander knows. */
export function flagTerm(option: Option): string {
  if (option.long === '--option') return '--option <name> <value>';
  return isSwitch(option.long ?? '') ? option.flags.replace(/ <\w+>$/, '') : option.flags;
}

/**
 * Gives settings their value: `--keep-going` becomes `--keep-going=true`, `--no-keep-going` `--keep-going=false`, and
 * `--option NAME VALUE` one argument. A setting that may be something else than true or false, as `sandbox`, has the
 * same forms. Aliases become the name of today. What follows `--` stays as it is.
 *
 * @throws {UsageError} on `--option` without name and value.
 */
export function rewriteFlags(args: readonly string[]): string[] {
  const rewritten: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = today(args[index]!);
    if (arg === '--') return [...rewritten, ...args.slice(index)];
    if (arg === '--option') {
      const [name, value] = args.slice(index + 1, index + 3);
      if (value === undefined) throw new UsageError("'--option' wants a name and a value");
      rewritten.push(`--option=${name}=${value}`);
      index += 2;
    } else if (isSwitch(arg)) {
      const hasValue = wordsOf(arg).includes(args[index + 1] ?? '');
      rewritten.push(`${arg}=${hasValue ? args[++index] : 'true'}`);
    } else if (arg.startsWith('--no-') && isSwitch(`--${arg.slice(5)}`)) {
      rewritten.push(`--${arg.slice(5)}=false`);
    } else {
      rewritten.push(...splitShort(arg).map((each) => REWRITTEN.get(each) ?? each));
    }
  }
  return rewritten;
}

/** `-kKj4` is `-k -K -j4`. */
function splitShort(arg: string): string[] {
  const [, switches = '', rest = ''] = /^-([kK]+)(.*)$/s.exec(arg) ?? [];
  if (switches === '') return [arg];
  return [...Array.from(switches, (each) => `-${each}`), ...(rest === '' ? [] : [`-${rest}`])];
}

/** A flag with the name that its setting has today: `--binary-caches=x` is `--substituters=x`. */
function today(arg: string): string {
  const [, no = '', name = '', value = ''] = /^--(no-)?([a-z0-9-]+)(=.*)?$/s.exec(arg) ?? [];
  const use = findSetting(name);
  return use === undefined ? arg : `--${no}${use.appends ? 'extra-' : ''}${use.name}${value}`;
}

function settingFlag(name: SettingName): Option {
  const { kind, about, default: value } = settingSpec(name);
  const flags = [SHORT[name], `--${name}`].filter((flag) => flag !== undefined).join(', ');
  const shown = Array.isArray(value) ? value.join(' ') : String(value);
  const notes = [
    shown === '' ? '' : `default: ${shown}`,
    isSwitch(`--${name}`) && value !== false ? `or --no-${name}` : '',
    kind === 'strings' ? `--extra-${name} adds to it` : '',
  ].filter((note) => note !== '');
  const description = `${about}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
  return new Option(`${flags} <${kind === 'strings' ? 'list' : kind}>`, description).helpGroup(GROUP);
}

/** Whether it is a setting that can be on or off, and so is a flag that needs no value. */
function isSwitch(arg: string): boolean {
  return wordsOf(arg).length > 0;
}

/** What may follow the flag of a {@link isSwitch | switch}; nothing for other arguments. */
function wordsOf(arg: string): readonly string[] {
  const name = arg.slice(2);
  if (!arg.startsWith('--') || !Object.hasOwn(SETTINGS, name)) return [];
  const { kind, choices = [] } = settingSpec(name as SettingName);
  if (kind === 'boolean') return BOOLEANS;
  return choices.includes('true') ? [...new Set([...BOOLEANS, ...choices])] : [];
}
