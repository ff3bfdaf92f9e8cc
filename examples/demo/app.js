// A small editor that runs once. run.js starts it several times and explains each step.
//   node app.js open FILE...    opens the files in the editor that already runs, or becomes that editor
//   node app.js status          asks the running editor which files are open
import { MultipleSingletonsError, Singleton, SingletonError } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';

/**
 * @typedef {{ command: string, files: readonly string[] }} Request What a launch sends.
 * @typedef {{ open: readonly string[] }} Status What the host replies.
 */

/** @type {import('socket-singleton').Codec<Request, Status>} */
const codec = json();
const [command = 'open', ...files] = process.argv.slice(2);

try {
  const app = await Singleton.acquire({
    port: Number(process.env.DEMO_PORT ?? 21337),
    secret: process.env.DEMO_SECRET,
    codec,
    args: { command, files },
    // A launch that waits gets a reply, not only a receipt.
    wait: command === 'status',
    // By default a second launch exits here with status 0. With `strict: false` it can print its receipt first.
    strict: false,
  });
  serve(app);
} catch (error) {
  if (!(error instanceof SingletonError)) throw error;
  reportDelivery(error);
}

/**
 * The first launch is the host: it receives the arguments of all later ones.
 * @param {Singleton<Request, Status>} app
 */
function serve(app) {
  console.log(`I am the host at ${app.endpoint}`);
  // The arguments of the first launch are delivered to no host, so it handles them itself.
  const open = [...files];

  app.on('args', (request, client) => {
    if (request.command === 'status') {
      client.reply({ open });
    } else {
      open.push(...request.files);
      console.log(`client ${client.number} opens ${JSON.stringify(request.files)}`);
    }
  });
  app.on('verifyFailed', ({ reason }) => console.log(`refused a client: ${reason}`));
  app.on('warning', ({ code }) => console.log(`warning: ${code}`));
}

/**
 * A later launch: either the host has confirmed it by a receipt, or the code says why it failed.
 * @param {SingletonError} error
 */
function reportDelivery(error) {
  if (error instanceof MultipleSingletonsError) {
    const { outcome, client, host, reply } = error.receipt;
    console.log(`receipt: ${outcome}, as client ${client} of the host with process id ${host?.pid}`);
    if (reply !== undefined) console.log(`reply: ${JSON.stringify(reply)}`);
  } else {
    console.log(`failed: ${error.code}`);
    console.log(error.message);
    process.exitCode = 1;
  }
}
