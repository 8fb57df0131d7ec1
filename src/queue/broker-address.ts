/** One node of RabbitMQ. */
export interface BrokerNode {
  readonly host: string;
  readonly port: number;
}

/** Who we are at a broker. */
export interface BrokerCredentials {
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

/** How a broker proves who it is. */
export interface BrokerTls {
  /** Certificates in PEM that are trusted instead of the well-known ones. */
  readonly ca?: string | undefined;
  /** The name that its certificate must carry; default the host. */
  readonly serverName?: string | undefined;
}

/** Where a RabbitMQ broker is, all of its nodes if it is a cluster, and who we are there. */
export interface BrokerAddress extends BrokerCredentials {
  readonly nodes: readonly BrokerNode[];
  /** Absent: no TLS. */
  readonly tls?: BrokerTls | undefined;
}
