// Server-sent events of one response: the data of each event, whatever the pieces that the network made of it.
import { OfflineError } from "./client";

export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();  // holds back the bytes of a character that is not whole yet
  let text = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        if (error instanceof TypeError) throw new OfflineError();  // how fetch names a connection that broke
        throw error;
      });
      text += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // "\r" at the end may be the first half of "\r\n"
      const complete = done ? text.length : text.endsWith("\r") ? text.length - 1 : text.length;
      const lines = text.slice(0, complete).split(/\r\n|\n|\r/);
      text = (lines.pop() ?? "") + text.slice(complete);
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield data.join("\n");
          data = [];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        }
      }
      if (done) {
        if (data.length > 0) yield data.join("\n");
        return;
      }
    }
  } finally {
    // leaving early (stop) must close the connection, which is what cancels the request
    await reader.cancel().catch(() => undefined);
  }
}
