// Whole messages as one unmasked frame each, as a server sends them (RFC 6455 § 5.2).

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82

export const textFrame = (text: string): Buffer => {
  const { frame, header } = frameOf(FIN_TEXT, Buffer.byteLength(text))
  frame.write(text, header)
  return frame
}

export const binaryFrame = (...parts: readonly Buffer[]): Buffer => {
  const { frame, header } = frameOf(
    FIN_BINARY,
    parts.reduce((sum, { length }) => sum + length, 0),
  )
  let at = header
  for (const part of parts) at += part.copy(frame, at)
  return frame
}

const frameOf = (first: number, length: number): { readonly frame: Buffer; readonly header: number } => {
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = first
  if (header === 2) frame[1] = length
  else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  return { frame, header }
}
