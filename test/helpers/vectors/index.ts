import { connectionVectors } from './connections.ts';
import { dialogueVectors, legacyVectors, securedVectors } from './dialogues.ts';
import { messageVectors } from './messages.ts';
import { valueVectors } from './values.ts';

/** All of docs/vectors.json. The section "Test vectors" of docs/protocol.md describes it. */
export function buildVectors() {
  return {
    format: 1,
    protocol: 1,
    description: 'Test vectors of docs/protocol.md, section "Test vectors". All bytes are in hex.',
    messages: messageVectors(),
    sessions: dialogueVectors(),
    secured: securedVectors(),
    values: valueVectors(),
    legacy: legacyVectors(),
    connections: connectionVectors(),
  };
}
