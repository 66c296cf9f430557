/** The remote desktop's bell: a short soft tone, made here so that no sound file is needed. */

/** @type {AudioContext | null} */
let context = null;

export function ringBell() {
  try {
    context ??= new AudioContext();
    const tone = context.createOscillator();
    const volume = context.createGain();
    const now = context.currentTime;
    tone.frequency.value = 660;
    volume.gain.setValueAtTime(0.12, now);
    volume.gain.exponentialRampToValueAtTime(0.0005, now + 0.25);
    tone.connect(volume).connect(context.destination);
    tone.start(now);
    tone.stop(now + 0.25);
  } catch {
    // No sound device, or sound not allowed before the user has touched the page.
  }
}
