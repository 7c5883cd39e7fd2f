/** Stock Nix's programs at the other end of a pipe, as ssh would be. Behind a real one they are in test/interop. */
import { mkdirSync } from 'node:fs';
import { describe } from 'node:test';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { installSsh, LOCAL_SSH } from '../../support/fake-ssh.ts';
import { Nix, nixMissing } from '../../support/nix.ts';
import { daemonEnvironment } from '../../support/nix-daemon.ts';
import { conforms } from '../conformance.ts';

for (const scheme of ['ssh-ng', 'ssh']) {
  describe(`behind the protocol of ${scheme}`, { skip: nixMissing }, () => {
    conforms(`a stock store at ${scheme}://`, async (dir, resources) => {
      const nix = await Nix.open(`${dir}/home`);
      await nix.output('nix-store', '--store', `${dir}/root`, '--init');
      const environment = Object.entries(daemonEnvironment(nix, `${dir}/root`)).map(([name, value]) =>
        value === undefined ? `unset ${name}` : `export ${name}='${value}'`,
      );
      mkdirSync(`${dir}/bin`);
      installSsh(`${dir}/bin`, [...environment, LOCAL_SSH].join('\n'), resources);
      return resources.use(await openStore(`${scheme}://host`, makeSettings()));
    });
  });
}
