/**
 * What Nix's configuration takes from the environment: which files there are, and the defaults that depend on it.
 *
 * Source: Nix 2.35 manual, "Common Environment Variables"; libstore/globals.cc, libutil/users.cc,
 * libstore/filetransfer.cc.
 */
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** Environment variables, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The directory of the configuration of the whole system. */
export function configurationDirectory(environment: Environment): string {
  return environment.NIX_CONF_DIR || '/etc/nix';
}

/** The configuration files in the order in which they are read: what comes later counts more. */
export function configurationFiles(environment: Environment): string[] {
  const { NIX_USER_CONF_FILES: named } = environment;
  const ofUser = named === undefined ? filesOfUser(environment) : split(named);
  return [join(configurationDirectory(environment), 'nix.conf'), ...ofUser.toReversed()];
}

/** The file with certificates that a variable names, and the variable. */
export function certificateFile(
  environment: Environment,
): { readonly file: string; readonly variable: string } | undefined {
  for (const variable of ['NIX_SSL_CERT_FILE', 'SSL_CERT_FILE']) {
    const file = environment[variable];
    if (file) return { file, variable };
  }
  return undefined;
}

/** What counts most comes first. */
function filesOfUser(environment: Environment): string[] {
  const { NIX_CONFIG_HOME, XDG_CONFIG_HOME, XDG_CONFIG_DIRS = '/etc/xdg' } = environment;
  const own = NIX_CONFIG_HOME || join(XDG_CONFIG_HOME || join(homeDirectory(environment), '.config'), 'nix');
  return [own, ...split(XDG_CONFIG_DIRS).map((directory) => join(directory, 'nix'))].map((each) =>
    join(each, 'nix.conf'),
  );
}

/** Someone else's home, as `sudo` may leave it in the environment, is not trusted. One that is missing does no harm. */
function homeDirectory({ HOME }: Environment): string {
  return HOME && isOwnOrMissing(HOME) ? HOME : userInfo().homedir;
}

function isOwnOrMissing(directory: string): boolean {
  try {
    const stats = statSync(directory, { throwIfNoEntry: false });
    return stats === undefined || stats.uid === process.geteuid?.();
  } catch {
    return false; // whoever may not look at it does not live there
  }
}

function split(list: string): string[] {
  return list.split(':').filter((path) => path !== '');
}
