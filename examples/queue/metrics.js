// Counters for Prometheus, kept apart from the program: node --import ./metrics.js app.js serve
import { subscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { Counter, register } from 'prom-client';

/** @typedef {import('socket-singleton').DiagnosticsMessages} Messages */
/** @type {<Name extends keyof Messages>(name: Name, listener: (message: Messages[Name]) => void) => void} */
const on = (name, listener) => subscribe(name, (/** @type {any} Unknown to Node. */ message) => listener(message));
const jobs = new Counter({ name: 'jobs_total', help: 'Jobs that have ended.', labelNames: ['result'] });
const refused = new Counter({ name: 'refused_clients_total', help: 'Clients that did not prove the secret.' });
on('socket-singleton:result', ({ result }) => jobs.inc({ result }));
on('socket-singleton:verifyFailed', ({ failure }) => refused.inc(failure.suppressed + 1)); // by what its count grew
const server = createServer(async (_, response) => response.end(await register.metrics()));
server.listen(Number(process.env.METRICS_PORT ?? 9464), '127.0.0.1').unref();
