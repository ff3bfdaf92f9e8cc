// One of the workers of a fleet: on all machines together, one does the jobs, and the others wait to take its place.
import { Singleton } from 'socket-singleton';
import { shared } from './shared.js';

const name = process.argv[2];
const app = new Singleton({ ...shared, standby: true, client: false });
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.release().finally(() => process.exit()));
app.on('warning', ({ message }) => console.warn(`${name}: ${message}`));
app.on('release', (reason) => reason === 'lost' && process.exit(1)); // a service manager starts it again
await app.acquire();
console.log(`${name} is the host, with the token ${app.token}`);
app.handle((job) => `${job} was done by ${name}, with the token ${app.token}`);
process.send?.('is the host'); // to run.js, if that has started it
