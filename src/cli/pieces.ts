/** A streamed body cut at this separator, as its pieces come; what has no separator after it was cut off, and is none. */
export async function* pieces(body: ReadableStream<Uint8Array>, separator: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + chunk).split(separator)
    rest = whole.pop() ?? ''
    yield* whole
  }
}
