/** What became of a launch. With any of these, a strict launch exits with status 0. */
export type Outcome =
  /** The host confirmed it. */
  | 'delivered'
  /** A one-way codec: all bytes were taken and the connection ended well, but the host cannot say more. */
  | 'unconfirmed'
  /** Counted, but beyond `maxClients`: the host ignored its arguments. */
  | 'throttled'
  /** This launch made the count reach `releaseThreshold`: the endpoint is free, its arguments were dropped. */
  | 'released'
  /** `client: false`: nothing was sent. */
  | 'skipped';

/** What a launch knows of its hand-off. */
export interface Receipt<R = unknown> {
  /** What became of the launch. */
  readonly outcome: Outcome;
  /** The number that the host gave this launch; only a codec with an answer tells it. */
  readonly client?: number;
  /** The host that took the launch; only a codec with an answer tells it. */
  readonly host?: HostInfo;
  /** What the host replied; only with `wait`, and where it replied. */
  readonly reply?: R;
  /** The status that the host ended the launch with, 0 to 255; only with `wait`, and 0 after a reply. */
  readonly exitCode?: number;
}

/** What a host says of itself. */
export interface HostInfo {
  /** Its process id. */
  readonly pid: number;
  /** When it took the endpoint. */
  readonly since: Date;
}
