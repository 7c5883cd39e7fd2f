/**
 * The files in /etc of a sandbox.
 *
 * Source: Nix 2.35 libstore/linux/build/linux-derivation-builder.cc, startChild, enterChroot.
 */
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mount, SANDBOX_USER } from './namespaces.ts';

/** What of the host those see who may use its network. */
const OF_THE_HOST = ['/etc/resolv.conf', '/etc/services', '/etc/hosts'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Makes the directory, and says what else is to be seen in it.
 *
 * @param caFile - certificates of authorities, where setting `ssl-cert-file` names some.
 */
export function makeEtc(dir: string, buildDir: string, network: boolean, caFile: string): Mount[] {
  const { uid, gid } = SANDBOX_USER;
  mkdirSync(dir);
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, name), lines.map((line) => `${line}\n`).join(''));
  write('passwd', [
    `root:x:0:0:Nix build user:${buildDir}:/noshell`,
    `nixbld:x:${uid}:${gid}:Nix build user:${buildDir}:/noshell`,
    'nobody:x:65534:65534:Nobody:/:/noshell',
  ]);
  write('group', ['root:x:0:', `nixbld:!:${gid}:`, 'nogroup:x:65534:']);
  if (!network) {
    write('hosts', ['127.0.0.1 localhost', '::1 localhost']);
    return [];
  }
  write('nsswitch.conf', ['hosts: files dns', 'services: files']);
  const shared = OF_THE_HOST.map((file) => ({ inside: file, outside: file }));
  if (caFile !== '') shared.push({ inside: CERTIFICATES, outside: caFile });
  return shared
    .filter(({ outside }) => existsSync(outside))
    .map(({ inside, outside }) => ({ inside, outside: realpathSync(outside), writable: false }));
}
