// Text files that go with a message. They are read here and become part of the prompt; nothing else is done with them.
import type { Attachment } from "../api/types";

export const kMaxFileBytes = 1 << 20;

export type AttachError = "too_big" | "not_text";

export async function readFile(file: File): Promise<Attachment | AttachError> {
  if (file.size > kMaxFileBytes) return "too_big";
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.includes(0)) return "not_text";
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { name: file.name, text };
  } catch {
    // Korean files of older programs are CP949; anything else is refused rather than garbled
    try {
      return { name: file.name, text: new TextDecoder("euc-kr", { fatal: true }).decode(bytes) };
    } catch {
      return "not_text";
    }
  }
}

// DeepSeek's own prompt for files names each and marks where it ends; files come before what is asked about them.
export function withAttachments(text: string, attachments: readonly Attachment[]): string {
  if (attachments.length === 0) return text;
  const files = attachments.map(
    (file) => `[file name]: ${file.name}\n[file content begin]\n${file.text}\n[file content end]\n`,
  );
  return files.join("") + text;
}
