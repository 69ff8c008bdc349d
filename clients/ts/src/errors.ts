// What can go wrong in a session, each with what remains.

/** The server's answer about one series, or one frame of it: the session goes on. */
export class StreamError extends Error {
  override readonly name = 'StreamError';

  /**
   * @param kind the server's name of the error, such as `SeriesNotFound`
   * @param detail its words; they name UIDs, never patients
   * @param series the number that the series was opened under
   * @param position of the frame that cannot be read and will not come; undefined when the series could not be opened
   */
  constructor(
    readonly kind: string,
    readonly detail: string,
    readonly series: number,
    readonly position?: number,
  ) {
    super(`${kind}: ${detail}`);
  }
}

/** What came is not `voxcast.stream.v1`, or the server says that of our words: the session is over and stays so. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The session or series was closed by its owner. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';
}
