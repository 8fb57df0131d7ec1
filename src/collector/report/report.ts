/** A crash report as a client has sent it. */
export interface CrashReport {
  /** By name, as text. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly dumps: readonly ReceivedDump[];
  /** What its client says is its crash id. */
  readonly uuid: string | undefined;
  /** How the annotations came. */
  readonly payload: "json" | "multipart";
  readonly isCompressed: boolean;
  /** Bytes as they were received. */
  readonly size: number;
  /** What the collector has changed, in sentences. */
  readonly notes: readonly string[];
}

/** A dump in a file of its own. */
export interface ReceivedDump {
  readonly name: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** How much one report may ask for. */
export interface ReportLimits {
  /** Bytes of the body, as received and decoded. */
  readonly bytes: number;
  /** Bytes of all annotations together; they are held in memory. */
  readonly annotationBytes: number;
  readonly parts: number;
}
