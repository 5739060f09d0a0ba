// What is being typed stays until it is entered or left, however often the page is drawn meanwhile: an input that is given its
// value alone loses the letters typed since the last change at the next drawing.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

type Typed = { readonly currentTarget: HTMLInputElement };

// The attributes of such an input: <input type="text" {...useDraft(value, take)} />
export function useDraft(value: string, onTake: (text: string, field: HTMLInputElement) => void) {
  const text = useSignal(value);
  useEffect(() => {
    text.value = value;
  }, [value]);
  return {
    value: text.value,
    onInput: (event: Typed) => { text.value = event.currentTarget.value; },
    onChange: (event: Typed) => onTake(event.currentTarget.value, event.currentTarget),
  };
}
