/** The descriptor of the first socket; those of the others follow. */
const FIRST_DESCRIPTOR = 3;

const VARIABLES = ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'] as const;

/** The descriptors that were taken. All transports share them, as they share the process and its environment. */
const taken = new Set<number>();

/**
 * Takes the socket of this name that systemd has handed over, or the first one, and returns its descriptor. Returns
 * `undefined` if systemd has handed over none to this process, or if the socket was taken before. Once all are taken, it
 * removes the variables from the environment. The rules are those of sd_listen_fds(3).
 */
export function takeDescriptor(name: string | undefined): number | undefined {
  const names = readNames(process.env, process.pid);
  if (!names) return undefined;
  const descriptor = FIRST_DESCRIPTOR + (name === undefined ? 0 : indexOf(name, names));
  if (taken.has(descriptor)) return undefined;
  taken.add(descriptor);
  if (taken.size === names.length) {
    taken.clear();
    for (const variable of VARIABLES) delete process.env[variable];
  }
  return descriptor;
}

function indexOf(name: string, names: readonly string[]): number {
  const index = names.indexOf(name);
  if (index !== -1) return index;
  const found = Array.from(new Set(names), (each) => JSON.stringify(each)).join(', ');
  throw new Error(
    `systemd handed over no socket with the name ${JSON.stringify(name)}, only ${found}. Write FileDescriptorName=${name} ` +
      'into the socket unit, or change the option "name" of systemd()',
  );
}

/** The names of the sockets, in the order of their descriptors. `undefined` if they are not meant for the process `pid`. */
export function readNames(env: NodeJS.ProcessEnv, pid: number): readonly string[] | undefined {
  if (env['LISTEN_PID'] === undefined || readNumber(env, 'LISTEN_PID') !== pid) return undefined;
  if (env['LISTEN_FDS'] === undefined) return undefined;
  const count = readNumber(env, 'LISTEN_FDS');
  const names = env['LISTEN_FDNAMES']?.split(':') ?? Array.from({ length: count }, () => 'unknown');
  if (names.length === count) return names;
  throw malformedError('LISTEN_FDNAMES', `${count} names, as LISTEN_FDS says`, String(env['LISTEN_FDNAMES']));
}

/** No system has a process id of more than nine digits, and no unit a hundred thousand sockets. */
const POSITIVE = { LISTEN_PID: /^[1-9]\d{0,8}$/, LISTEN_FDS: /^[1-9]\d{0,4}$/ };

function readNumber(env: NodeJS.ProcessEnv, variable: 'LISTEN_FDS' | 'LISTEN_PID'): number {
  const value = String(env[variable]);
  if (!POSITIVE[variable].test(value)) throw malformedError(variable, 'a positive integer', value);
  return Number(value);
}

function malformedError(variable: string, expected: string, value: string): Error {
  return new Error(
    `the environment variable ${variable} must be ${expected}; it is ${JSON.stringify(value)}. systemd sets it for the ` +
      `sockets that it hands over. Start the program by its unit, or without ${VARIABLES.join(', ')}`,
  );
}
