/** The wall's voice: two short tones for critical, one for high. Browsers need a tap before they let it sound. */

const TONES = {
  critical: {every: 2500, notes: [[880, 0], [660, 0.28]]},
  high: {every: 6000, notes: [[587, 0]]},
}

export class Tone {
  #context = null
  #level = ''
  #timer = 0
  #onChange

  /** `onChange`: the browser has let us sound, or has stopped it. */
  constructor(onChange = () => {}) {
    this.#onChange = onChange
  }

  /** Call from a tap. Answers whether the browser really lets us sound. */
  async unlock() {
    if (!this.#context) {
      this.#context = new AudioContext()
      this.#context.onstatechange = () => this.#onChange()
    }
    await Promise.race([this.#context.resume(), new Promise(done => setTimeout(done, 300))])
    if (this.#level) this.#play() // what it should have said while it was not let
    return this.isOpen
  }

  get isOpen() {
    return this.#context?.state === 'running'
  }

  /** '', 'high' or 'critical'; goes on until told otherwise. */
  set level(level) {
    if (level === this.#level) return
    this.#level = level
    clearInterval(this.#timer)
    if (!level) return
    this.#play()
    this.#timer = setInterval(() => this.#play(), TONES[level].every)
  }

  /** One short tone, so that whoever switches it on hears that it can be heard. */
  chirp() {
    if (this.isOpen) this.#note(TONES.high.notes[0][0], this.#context.currentTime)
  }

  #play() {
    if (!this.isOpen) return
    for (const [pitch, wait] of TONES[this.#level].notes) this.#note(pitch, this.#context.currentTime + wait)
  }

  #note(pitch, at) {
    const gain = this.#context.createGain()
    gain.gain.setValueAtTime(0, at)
    gain.gain.linearRampToValueAtTime(0.4, at + 0.02)
    gain.gain.linearRampToValueAtTime(0, at + 0.24)
    const voice = this.#context.createOscillator()
    voice.frequency.value = pitch
    voice.connect(gain).connect(this.#context.destination)
    voice.start(at)
    voice.stop(at + 0.26)
  }
}
