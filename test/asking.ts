// A request over HTTP, and what comes back.

export interface Answer {
  readonly status: number
  /** null: an empty one; what does not call itself JSON stays the text it is */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is what is looked at
  readonly body: any
  readonly headers: Headers
}

/** A body that is a text goes as it is, another as JSON; either is called JSON, unless `headers` say otherwise. */
export const asking = async (
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: unknown,
): Promise<Answer> => {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = response.headers.get('content-type')?.includes('json')
  const { status, headers: answered } = response
  return { status, body: text === '' ? null : json ? JSON.parse(text) : text, headers: answered }
}
