/** Settings as texts, for other programs: as nix.conf would have them. */
import { SETTINGS, type SettingName, type Settings, settingKey } from '../../settings.ts';

/** By name. */
export function settingTexts(settings: Settings): ReadonlyMap<string, string> {
  const names = Object.keys(SETTINGS) as SettingName[];
  return new Map(names.map((name) => [name, printValue(settings[settingKey(name)])] as const));
}

/** What the environment variable `NIX_CONFIG` says to Nix. */
export function nixConfigOf(settings: Settings): string {
  return Array.from(settingTexts(settings), ([name, text]) => `${name} = ${text}\n`).join('');
}

function printValue(value: Settings[keyof Settings]): string {
  return typeof value === 'object' ? value.join(' ') : String(value);
}
