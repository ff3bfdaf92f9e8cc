// A codec of your own: CBOR, by the package cborg. Start it twice: the second process delivers its job to the first and exits.
//   node app.js a.jpg &
//   node app.js b.jpg
import { decode, encode } from 'cborg';
import { Singleton } from 'socket-singleton';
import { lengthPrefixed } from 'socket-singleton/codecs/length-prefixed';

const cbor = lengthPrefixed({ name: 'cbor', serialize: encode, deserialize: decode });

const app = await Singleton.acquire({
  port: Number(process.env.DEMO_PORT ?? 21337),
  codec: cbor,
  args: { files: process.argv.slice(2), thumbnail: Uint8Array.of(1, 2, 3) },
});

console.log(`I am the host at ${app.endpoint}`);
app.on('args', (job) => console.log('a job:', job));
