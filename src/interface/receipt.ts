/** What became of a launch: see `Receipt.outcome`. With any of these, a strict launch exits with `exitCode`, 0 by default. */
export type Outcome = 'delivered' | 'unconfirmed' | 'throttled' | 'released' | 'skipped';

/** What a client knows about its launch after the delivery. */
export interface Receipt<R = unknown> {
  /**
   * What became of the launch.
   *
   * - `delivered`: the host confirmed it.
   * - `unconfirmed`: all bytes were sent, and the codec has no answer.
   * - `throttled`: counted, but beyond `maxClients`; the arguments were ignored.
   * - `released`: it reached `releaseThreshold`; the arguments were ignored.
   * - `skipped`: nothing was sent, because `client` is `false`.
   */
  readonly outcome: Outcome;
  /** The number that the host gave to this client, from 1. Missing if the codec has no answer. */
  readonly client?: number;
  /** The host that accepted the launch. Missing if the codec has no answer. */
  readonly host?: HostInfo;
  /** The value with which the host replied. Missing without `wait`, or if it did not reply. */
  readonly reply?: R;
  /** The exit status that the host set, 0 to 255; 0 after a reply. Missing without `wait`. */
  readonly exitCode?: number;
}

/** Facts about a host. */
export interface HostInfo {
  /** The process id of the host. */
  readonly pid: number;
  /** When the host bound the endpoint. */
  readonly since: Date;
  /** The `version` of the host's program. Missing if it has none. */
  readonly version?: string;
  /** The fencing token of the host. Missing if its transport has none. */
  readonly token?: number;
  /** Where the host can be reached, such as `tcp://10.1.2.3:7001`. Missing if the endpoint has it. */
  readonly address?: string;
}

type Optional = 'version' | 'token' | 'address';

/** The members that are known. */
export function hostInfoOf({
  version,
  token,
  address,
}: { readonly [Key in Optional]?: HostInfo[Key] | undefined }): Pick<HostInfo, Optional> {
  const info: { -readonly [Key in Optional]?: HostInfo[Key] } = {};
  if (version !== undefined) info.version = version;
  if (token !== undefined) info.token = token;
  if (address !== undefined) info.address = address;
  return info;
}

/** The status that a host reports. Over `legacy()` only `endpoint` is known. */
export interface HostStatus extends Partial<HostInfo> {
  /** The endpoint that was asked. */
  readonly endpoint: string;
  /** How many clients were counted: launches that were complete and verified. */
  readonly clients?: number;
  /** How many launches wait for a listener. */
  readonly pending?: number;
  /** How many launches wait for their result (`wait`). */
  readonly sessions?: number;
  /** The names of the codecs that the host accepts. */
  readonly codecs?: readonly string[];
}
