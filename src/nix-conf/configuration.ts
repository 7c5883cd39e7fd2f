/** Settings on their way from defaults, files and flags to what holds in the end; it knows where each came from. */
import { findSetting, makeSettings, parseSetting, type SettingName, type Settings, settingKey } from '../settings.ts';

/** One setting, and where its value comes from. */
export interface ResolvedSetting {
  readonly value: Settings[keyof Settings];
  readonly defaultValue: Settings[keyof Settings];
  /** `default`, `flag`, a variable, or `FILE:LINE`; several where `extra-` has added to a list. */
  readonly origins: readonly string[];
}

export class Configuration {
  readonly #defaults: Settings;
  readonly #origins = new Map<SettingName, readonly string[]>();
  #given: Partial<Settings> = {};

  /** @param defaults - those that are not the ones of the table. */
  constructor(defaults: Partial<Settings> = {}) {
    this.#defaults = makeSettings(defaults);
  }

  /** What holds now. */
  get settings(): Settings {
    return makeSettings({ ...this.#defaults, ...this.#given });
  }

  /**
   * Takes the text of a setting, on top of what was there before.
   *
   * @param name - an alias will do, and the name of a list with `extra-`.
   * @throws {UsageError} on an unknown name or a value of the wrong kind.
   */
  set(name: string, text: string, origin: string): void {
    const piece = parseSetting(name, text, { ...this.#defaults, ...this.#given });
    const use = findSetting(name)!;
    this.#given = { ...this.#given, ...piece };
    this.#origins.set(use.name, use.appends ? [...this.resolve(use.name).origins, origin] : [origin]);
  }

  /** A setting by the name that it has in the table. */
  resolve(name: SettingName): ResolvedSetting {
    const key = settingKey(name);
    const defaultValue = this.#defaults[key];
    return { value: this.#given[key] ?? defaultValue, defaultValue, origins: this.#origins.get(name) ?? ['default'] };
  }
}
