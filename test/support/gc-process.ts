/** A collector in a process of its own, to be killed: prints each path that it has taken out of the store directory. */
import { writeSync } from 'node:fs';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { collectGarbage } from '../../src/scheduler/collect-garbage.ts';
import { makeSettings } from '../../src/settings.ts';
import { openLocalStore } from '../../src/stores/local-store.ts';

const settings = makeSettings({ workerThreads: 1 });
await using store = await openLocalStore(parseStoreReference(process.argv[2]!), settings);
await collectGarbage({ store, settings, onDeleted: (path) => void writeSync(1, `${path}\n`) });
