import { describe } from 'node:test';
import { parseStoreReference } from '../../../src/formats/store-reference.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openDaemonStore } from '../../../src/stores/remote/open.ts';
import { nixMissing } from '../../support/nix.ts';
import { startNixDaemon } from '../../support/nix-daemon.ts';
import { conforms } from '../conformance.ts';

describe('behind the worker protocol', { skip: nixMissing }, () => {
  conforms('a stock daemon', async (dir, resources) => {
    const { uri } = await startNixDaemon(dir, resources);
    return resources.use(openDaemonStore(parseStoreReference(uri), makeSettings()));
  });
});
