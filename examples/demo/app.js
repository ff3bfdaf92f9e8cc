// A program that runs once: start it twice, and the second start hands its arguments to the first.
import { Singleton } from 'socket-singleton';

const app = await Singleton.acquire({
  port: Number(process.env.DEMO_PORT ?? 21337),
  secret: process.env.DEMO_SECRET,
  maxClients: 2,
  releaseThreshold: 4,
});

console.log(`I am the host at ${app.endpoint}`);
app.on('client', (client) => console.log(`client ${client.number} came`));
app.on('args', (args) => console.log(`arguments: ${JSON.stringify(args)}`));
app.on('verifyFailed', ({ reason }) => console.log(`a client was refused: ${reason}`));
app.on('warning', ({ code }) => console.log(`not a launch: ${code}`));
app.on('release', (reason) => {
  console.log(`the endpoint is free again: ${reason}`);
  app.removeAllListeners();
});
