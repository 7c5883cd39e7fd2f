import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { conforms } from './conformance.ts';

conforms('a memory store', async () => new MemoryStore(DEFAULT_STORE_DIR));
