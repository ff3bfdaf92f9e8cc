// by-hand.js with a secret, so that neither side needs to trust the endpoint: both make a key, agree, and derive others, and
// the launch is encrypted. The arithmetic is that of Noise_NNpsk0_25519_AESGCM_SHA256, and none of its checks.
import { createCipheriv, createPublicKey, diffieHellman, generateKeyPairSync, hash } from 'node:crypto';
import { connect, createServer } from 'node:net';

const where = JSON.parse(process.env['BENCH_ENDPOINT'] ?? '');
const peer = createPublicKey(generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }));

/** Those of the key derivation included. */
const HASHES = 34;

/** One side's part: a key of its own, an agreement, and what is derived from them; 48 bytes to send. */
function handshake() {
  const { privateKey } = generateKeyPairSync('x25519');
  const shared = diffieHellman({ privateKey, publicKey: peer });
  for (let times = 0; times < HASHES; times += 1) hash('sha256', Buffer.alloc(96), 'binary');
  return Buffer.concat([encrypt(shared, shared), encrypt(shared, Buffer.alloc(0))]).subarray(0, 48);
}

/** @param {Buffer} key @param {Uint8Array} bytes */
function encrypt(key, bytes) {
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.once('data', () => {
    socket.write(handshake());
    socket.once('data', (launch) => {
      encrypt(Buffer.alloc(32), launch);
      socket.end(encrypt(Buffer.alloc(32), Buffer.alloc(16)));
      process.send?.(4);
    });
  });
});
server.once('error', () => {
  const socket = connect(where, () => socket.write(handshake()));
  socket.once('data', () => {
    socket.write(encrypt(Buffer.alloc(32), Buffer.from(process.argv.slice(2).join('\0'))));
    socket.once('data', () => socket.end());
  });
  socket.once('close', () => process.exit());
});
server.listen(where, () => process.send?.('ready'));
