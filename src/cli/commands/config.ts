/** `sluice config show`: the settings that hold, as `nix config show` prints them, and where each comes from. */
import { UsageError } from '../../errors.ts';
import { withoutCredentials } from '../../formats/store-reference.ts';
import type { Configuration, ResolvedSetting } from '../../nix-conf/configuration.ts';
import { isSettingOfNixOnly } from '../../nix-conf/nix-settings.ts';
import { findSetting, SETTINGS, type SettingName, settingSpec } from '../../settings.ts';
import type { CommandModule } from '../command.ts';

interface Options {
  readonly json?: boolean;
}

type Value = ResolvedSetting['value'];

export const configCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', EXAMPLES);
    command
      .command('show')
      .description('print all settings, or the value of one')
      .argument('[name]', 'a setting, by its name or an older one')
      .option('--json', 'print value, default, description, aliases and origin as JSON')
      .action(async (name: string | undefined, { json }: Options) => {
        const names = name === undefined ? (Object.keys(SETTINGS).sort() as SettingName[]) : [settingOf(name)];
        const { configuration } = cli;
        if (json) await cli.stdout.write(`${JSON.stringify(toJson(names, configuration))}\n`);
        else if (name === undefined) await cli.stdout.write(toLines(names, configuration));
        else await cli.stdout.write(`${toText(shown(names[0]!, configuration).value)}\n`);
      });
  },
};

const EXAMPLES = `
Settings come from nix.conf files, from NIX_CONFIG and from flags; the later ones count more. What is printed can be read
as a nix.conf again, but for passwords in URLs, which are left out.

Examples:
  sluice config show
  sluice config show substituters --extra-substituters https://cache.example.org
  sluice config show --json | jq '.["max-jobs"].origin'`;

function settingOf(name: string): SettingName {
  const use = findSetting(name);
  if (use !== undefined && !use.appends) return use.name;
  throw new UsageError(`unknown setting '${name}'`, {
    hint: isSettingOfNixOnly(name) ? 'Nix has a setting of that name, which does nothing here' : undefined,
  });
}

/** `NAME = VALUE` a line; a comment says what has changed a setting. */
function toLines(names: readonly SettingName[], configuration: Configuration): string {
  return names
    .map((name) => {
      const { value, origins } = shown(name, configuration);
      const from = origins.join(', ');
      return `${`${name} = ${toText(value)}`.trimEnd()}${from === 'default' ? '' : `  # from ${from}`}\n`;
    })
    .join('');
}

/** By name, with the keys that Nix has for the same things, and `origin`. */
function toJson(names: readonly SettingName[], configuration: Configuration): object {
  const entries = names.map((name) => {
    const { value, defaultValue, origins } = shown(name, configuration);
    const { about, aliases = [] } = settingSpec(name);
    return [
      name,
      {
        value: toJsonValue(value),
        defaultValue: toJsonValue(defaultValue),
        description: about,
        aliases,
        origin: origins.join(', '),
      },
    ];
  });
  return Object.fromEntries(entries) as object;
}

/** Truth that may also be something else, as that of `sandbox`, is truth for programs, too. */
function toJsonValue(value: Value): Value {
  return value === 'true' || value === 'false' ? value === 'true' : value;
}

/** A setting as anybody may see it. */
function shown(name: SettingName, configuration: Configuration): ResolvedSetting {
  const resolved = configuration.resolve(name);
  return { ...resolved, value: withoutPasswords(resolved.value) };
}

function withoutPasswords(value: Value): Value {
  return typeof value === 'object'
    ? value.map((word) => (word.includes('://') ? withoutCredentials(word) : word))
    : value;
}

function toText(value: Value): string {
  return typeof value === 'object' ? value.join(' ') : String(value);
}
