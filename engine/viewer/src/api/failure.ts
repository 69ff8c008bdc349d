// What went wrong between page and server: the status and the server's own words (RFC 9457), for texts to be made from.

/** `status` 0 means that no answer came, or that it broke off. */
export class Failure extends Error {
  constructor(readonly status: number, readonly detail = "") {
    super(detail || `status ${status}`);
    this.name = "Failure";
  }

  /** From an answer that is not fine; reads its body. */
  static async of(response: Response): Promise<Failure> {
    try {
      const problem: unknown = await response.json();
      const detail = typeof problem === "object" && problem !== null && "detail" in problem ? problem.detail : "";
      return new Failure(response.status, typeof detail === "string" ? detail.replace(/[.\s]+$/, "") : "");
    } catch {
      return new Failure(response.status); // not a problem document: the status has to be enough
    }
  }
}
