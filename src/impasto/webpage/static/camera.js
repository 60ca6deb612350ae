// Owns the camera: asked for when it is wanted, and let go when it is not.

/** @type {Record<string, string>} */
const WHY = {
  NotAllowedError: "the camera may not be used; allow it in the browser's settings for this page",
  NotFoundError: "there is no camera here",
  NotReadableError: "another program has the camera",
};

export class Camera {
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });

  /** What it sees now; null while it is off. */
  get view() {
    return this.#video.srcObject ? this.#video : null;
  }

  /** @param {() => void} ended  hears when it was taken away */
  async start(ended) {
    // A page that is not served over HTTPS or from this computer has no cameras.
    if (!navigator.mediaDevices) throw new Error("browsers give the camera only to pages served over HTTPS or from this computer");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
      stream.getVideoTracks()[0]?.addEventListener("ended", ended);
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      this.stop();
      throw new Error(WHY[error instanceof Error ? error.name : ""] ?? "the camera does not start");
    }
  }

  stop() {
    const stream = /** @type {MediaStream | null} */ (this.#video.srcObject);
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.#video.srcObject = null;
  }
}
