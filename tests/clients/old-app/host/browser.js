// What a browser is to the old client, for Node: the address that the build put in, and a `fetch` that sends the page's
// origin. Bundled into each tab in place of `process.env.NEXT_PUBLIC_API_URL` and the global `fetch`.

export const browser = {
  apiUrl: "",
  origin: "",
  /** Called with each REST answer: `(method, path, status, body)`. */
  onAnswer: () => {},
};

export const fetch = async (url, options) => {
  const response = await globalThis.fetch(url, {
    ...options,
    headers: { ...options.headers, Origin: browser.origin },
    signal: AbortSignal.timeout(20_000),
  });
  const body = await response.json();
  browser.onAnswer(options.method, new URL(url).pathname, response.status, body);
  return { ok: response.ok, status: response.status, json: async () => body };
};
