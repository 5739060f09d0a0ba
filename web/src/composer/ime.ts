// Enter and input methods. What browsers do when Enter is pressed while a composition is open:
//   Chrome, Firefox, Edge: keydown Enter (isComposing, keyCode 229), compositionend, on some systems keydown Enter again
//   Safari: compositionend, then keydown Enter with keyCode 229 and isComposing false
// In Korean there is nothing to choose: the syllable is what it is and Enter means "send", once, with the last syllable in it.
// In Japanese and Chinese that Enter confirms the candidate and must not send. So Enter in a composition never sends by itself;
// when the composition that it ended was Hangul, one send follows the end of the composition.

export interface EnterKey {
  key: string;   // "Process" on Windows while an input method has the key
  code: string;
  keyCode: number;
  isComposing: boolean;
  shiftKey: boolean;
  repeat: boolean;
}

export type Later = (action: () => void) => void;

const kHangul = /^[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]+$/;
const kInputMethodKey = 229;
const kSafariGapMs = 60;  // between compositionend and the keydown that caused it: one task; people need longer

export class EnterGate {
  private isComposing = false;
  private text = "";
  private wantsSend = false;   // Enter came inside a Hangul composition
  private sentByPress = false; // this press of Enter has sent already: its second keydown does nothing
  private isHeld = false;
  private hangulEndedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly send: () => void,
    private readonly later: Later = (action) => window.setTimeout(action, 0),
    private readonly now: () => number = () => performance.now(),
  ) {}

  compositionStart(): void {
    this.isComposing = true;
    this.text = "";
    this.wantsSend = false;
  }

  compositionUpdate(data: string): void {
    this.text = data;
  }

  compositionEnd(data: string): void {
    this.isComposing = false;
    const isHangul = kHangul.test(data === "" ? this.text : data);
    this.hangulEndedAt = isHangul ? this.now() : Number.NEGATIVE_INFINITY;
    if (this.wantsSend && isHangul) this.sendLater();
    else this.wantsSend = false;
  }

  // True: the caller prevents the key's own effect (a line break).
  keyDown(event: EnterKey): boolean {
    if (event.key !== "Enter" && event.code !== "Enter" && event.code !== "NumpadEnter") return false;
    this.isHeld = true;
    if (this.isComposing || event.isComposing) {
      if (!event.shiftKey) this.wantsSend = kHangul.test(this.text);
      return false;
    }
    if (event.shiftKey) return false;
    if (event.keyCode === kInputMethodKey) {
      if (this.now() - this.hangulEndedAt < kSafariGapMs) this.sendLater();
      return true;
    }
    if (this.sentByPress || event.repeat) return true;
    this.wantsSend = false;
    this.sentByPress = true;
    this.send();
    return true;
  }

  keyUp(event: { key: string; code: string }): void {
    if (event.key !== "Enter" && event.code !== "Enter" && event.code !== "NumpadEnter") return;
    this.isHeld = false;
    this.sentByPress = false;
  }

  // Some input methods still insert the line break of the Enter that ended the composition: true when it is to be dropped.
  dropsLineBreak(): boolean {
    return this.sentByPress;
  }

  // After the event: the field has the last syllable only then.
  private sendLater(): void {
    this.wantsSend = true;
    this.later(() => {
      if (!this.wantsSend) return;
      this.wantsSend = false;
      this.sentByPress = this.isHeld;
      this.send();
    });
  }
}
